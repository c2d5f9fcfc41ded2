"""What is known of who asks, for a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dashapp.accounts import recent
from dashapp.accounts.accounts import Accounts
from dashapp.accounts.recent import SECONDS, Recent
from dashapp.accounts.users import Users
from dashapp.contract.accounts import PasswordChange, TokenRequest, User, UserUpdate
from dashapp.database.notices import Notices
from dashapp.database.pool import Database

PASSWORD = "correct horse battery"


class Desk:
    """Answers, counts, and can be held up."""

    now = 1000.0

    def __init__(self) -> None:
        self.asked, self.answer = 0, "ada"
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> str | None:
        self.asked += 1
        answer = self.answer
        await self.open.wait()
        return answer or None


async def test_what_was_found_holds_for_a_second() -> None:
    desk = Desk()
    known: Recent[str] = Recent(timer=lambda: desk.now)
    assert await known.of(b"a", desk) == await known.of(b"a", desk) == "ada"
    assert desk.asked == 1
    desk.now += SECONDS
    desk.answer = ""
    assert await known.of(b"a", desk) is None
    desk.answer = "ada"
    assert await known.of(b"a", desk) == "ada", "that nothing was found isn't kept"


async def test_what_was_on_its_way_when_something_was_taken_is_not_kept() -> None:
    desk = Desk()
    known: Recent[str] = Recent(timer=lambda: desk.now)
    desk.open.clear()
    asking = asyncio.create_task(known.of(b"a", desk))
    while not desk.asked:
        await asyncio.sleep(0)
    known.forget()
    desk.answer = ""
    desk.open.set()
    assert await asking == "ada"
    assert await known.of(b"a", desk) is None


Loss = Callable[[Accounts, Users, User, str, str], Awaitable[object]]


async def _revoke(accounts: Accounts, user: User) -> None:
    (token,) = await accounts.list_tokens(user)
    await accounts.delete_token(user, token.id)


LOSSES: dict[str, tuple[Loss, bool, bool]] = {  # what happens; whether the session and the token go
    "logout": (lambda a, _u, _me, secret, _t: a.logout(secret), True, False),
    "sessions": (lambda a, _u, me, _s, _t: a.end_sessions(me), True, False),
    "password": (
        lambda a, _u, me, _s, _t: a.change_password(me, PasswordChange(current=PASSWORD, new="another good one")), True, False
    ),
    "revoked": (lambda a, _u, me, _s, _t: _revoke(a, me), False, True),
    "disabled": (lambda _a, u, me, _s, _t: u.update(None, me.id, UserUpdate(disabled=True)), True, True),
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
async def test_what_is_taken_is_gone_at_once_here_and_where_notices_come(
    loss: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "SECONDS", 1000.0)
    here, there = Accounts(database), Accounts(database)
    notices = Notices(database.url)
    there.listen(notices)
    notices.start()
    try:
        await asyncio.wait_for(notices.connected.wait(), 20)
        await here.ensure_admin("admin@example.org", None)
        user = await here.create_user("ada@example.org", PASSWORD, "editor")
        secret = await here.open_session(user.id)
        token = (await here.create_token(user, TokenRequest(name="ci", scope="read"))).token
        for accounts in (here, there):
            assert await accounts.by_recent_session(secret) == user
            assert (await accounts.by_recent_token(token) or ())[:1] == (user,)
        take, session_goes, token_goes = LOSSES[loss]
        await take(here, Users(database, here), user, secret, token)
        assert (await here.by_recent_session(secret) is None) is session_goes
        assert (await here.by_recent_token(token) is None) is token_goes
        async with asyncio.timeout(1):
            while (await there.by_recent_session(secret) is None) is not session_goes:
                await asyncio.sleep(0.01)
            while (await there.by_recent_token(token) is None) is not token_goes:
                await asyncio.sleep(0.01)
    finally:
        await notices.stop()


async def test_another_role_counts_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "SECONDS", 1000.0)
    accounts = Accounts(database)
    await accounts.ensure_admin("admin@example.org", None)
    user = await accounts.create_user("ada@example.org", None, "admin")
    secret = await accounts.open_session(user.id)
    assert await accounts.by_recent_session(secret) == user
    await Users(database, accounts).update(None, user.id, UserUpdate(role="viewer"))
    found = await accounts.by_recent_session(secret)
    assert found is not None
    assert found.role == "viewer"
