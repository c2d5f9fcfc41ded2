from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from dashapp.accounts import passwords
from dashapp.accounts.accounts import Accounts
from dashapp.accounts.secrets import digest
from dashapp.accounts.throttle import Throttle
from dashapp.contract.accounts import TokenRequest, User
from dashapp.database.pool import Database
from dashapp.errors import Conflict, NotFound, RateLimited, StartupError, Unauthorized, ValidationFailed

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database)


@pytest.fixture
async def user(accounts: Accounts) -> User:
    return await accounts.create_user("ada@example.org", PASSWORD, "editor")


async def everything_stored(database: Database) -> str:
    """All that the account tables hold, as text."""
    text = ""
    async with database.connection() as connection:
        for table in ("users", "sessions", "signin_links", "tokens"):
            cursor = await connection.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') AS t FROM {table} t")  # type: ignore[arg-type]
            row = await cursor.fetchone()
            assert row is not None
            text += str(row["t"])
    return text


class TestAdmin:
    async def test_the_first_start_makes_one_and_later_ones_find_it(self, accounts: Accounts) -> None:
        first = await accounts.ensure_admin("admin@localhost", PASSWORD)
        assert first.role == "admin"
        assert await accounts.ensure_admin("Admin@localhost", "another password") == first
        assert await accounts.ensure_admin("someone@else.org", None) == first
        user, _ = await accounts.login("admin@localhost", PASSWORD)
        assert user == first

    async def test_starts_at_the_same_time_make_one(self, accounts: Accounts) -> None:
        made = await asyncio.gather(*(accounts.ensure_admin(f"admin{n}@localhost", None) for n in range(4)))
        assert len({user.id for user in made}) == 1

    async def test_without_a_password_nobody_logs_in_by_one(self, accounts: Accounts) -> None:
        await accounts.ensure_admin("admin@localhost", None)
        for guess in ("", "password"):
            with pytest.raises(Unauthorized):
                await accounts.login("admin@localhost", guess)

    async def test_a_bad_setting_is_named(self, accounts: Accounts) -> None:
        with pytest.raises(StartupError, match="DASHAPP_ADMIN_PASSWORD"):
            await accounts.ensure_admin("admin@localhost", "short")
        with pytest.raises(StartupError, match="DASHAPP_ADMIN_EMAIL"):
            await accounts.ensure_admin("admin", None)


class TestUsers:
    async def test_an_email_has_one_account_in_any_case(self, accounts: Accounts, user: User) -> None:
        with pytest.raises(Conflict, match="has an account"):
            await accounts.create_user("ADA@example.org", PASSWORD, "viewer")
        assert await accounts.by_email("Ada@Example.org ") == user

    @pytest.mark.parametrize(("email", "password"), [("nobody", PASSWORD), ("a\x00@b", PASSWORD), ("a@b.org", "short")])
    async def test_what_cannot_be_used_is_refused(self, accounts: Accounts, email: str, password: str) -> None:
        with pytest.raises(ValidationFailed):
            await accounts.create_user(email, password, "viewer")


class TestSignIn:
    async def test_password_opens_a_session_and_logout_ends_it(self, accounts: Accounts, user: User) -> None:
        found, secret = await accounts.login(" Ada@example.org", PASSWORD, address="192.0.2.1", user_agent="x" * 5000)
        assert found == user
        assert await accounts.by_session(secret) == user
        await accounts.logout(secret)
        assert await accounts.by_session(secret) is None
        await accounts.logout(secret)

    @pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org", "", "\x00", "\ud800"])
    async def test_wrong_in_the_same_words_whatever_is_wrong(self, accounts: Accounts, user: User, email: str) -> None:
        with pytest.raises(Unauthorized, match=r"^E-mail or password is wrong\.$"):
            await accounts.login(email, "wrong")

    async def test_an_unknown_account_costs_the_same_work(self) -> None:
        # Not the clock but the work is compared: argon2 runs over a hash of the same parameters.
        stored = await passwords.hashed(PASSWORD)
        assert passwords._nobodys_hash().rsplit("$", 2)[0] == stored.rsplit("$", 2)[0]
        assert await passwords.verify(None, "the password of an account that doesn't exist") == (False, None)
        assert await passwords.verify(stored, PASSWORD) == (True, None)

    async def test_a_hash_of_older_parameters_is_renewed(self, accounts: Accounts, user: User, database: Database) -> None:
        from argon2 import PasswordHasher

        old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
        async with database.connection() as connection:
            await connection.execute("UPDATE users SET password_hash = %s", (old,))
        await accounts.login(user.email, PASSWORD)
        assert old not in await everything_stored(database)
        await accounts.login(user.email, PASSWORD)

    async def test_guessing_is_slowed_also_when_done_at_once(self, accounts: Accounts, user: User) -> None:
        # A clock that stands: on a busy machine the tries themselves may take longer than the wait.
        accounts._throttle = Throttle(lambda: 1000.0)
        tries = [accounts.login(user.email, f"guess {n}", address="192.0.2.1") for n in range(12)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        limited = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
        assert len(limited) == 7
        assert limited[0].retry_after
        with pytest.raises(RateLimited):
            await accounts.login(user.email, PASSWORD, address="192.0.2.1")
        # Nobody locks the owner out from elsewhere.
        await accounts.login(user.email, PASSWORD, address="192.0.2.2")

    async def test_a_link_works_once(self, accounts: Accounts, user: User) -> None:
        token = await accounts.signin_link(user.id)
        outcomes = await asyncio.gather(*(accounts.redeem_link(token) for _ in range(3)), return_exceptions=True)
        opened = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        assert len(opened) == 1
        assert await accounts.by_session(opened[0][1]) == user

    async def test_an_old_link_does_not(self, accounts: Accounts, user: User) -> None:
        token = await accounts.signin_link(user.id, timedelta(seconds=-1))
        with pytest.raises(Unauthorized, match="used before or has expired"):
            await accounts.redeem_link(token)
        with pytest.raises(Unauthorized):
            await accounts.redeem_link("\x00\ud800")

    async def test_a_session_slides_and_is_written_once_a_minute(self, accounts: Accounts, user: User, database: Database) -> None:
        secret = await accounts.open_session(user.id)

        async def shift(span: str) -> None:
            async with database.connection() as connection:
                await connection.execute(
                    "UPDATE sessions SET last_seen_at = last_seen_at - %s::interval, expires_at = expires_at - %s::interval",
                    (span, span),
                )

        async def seconds_left() -> float:
            async with database.connection() as connection:
                cursor = await connection.execute("SELECT extract(epoch FROM expires_at - now())::float AS s FROM sessions")
                row = await cursor.fetchone()
                assert row is not None
                return float(str(row["s"]))

        await shift("50 seconds")
        assert await accounts.by_session(secret) == user
        assert await seconds_left() < 30 * 86400 - 40  # not written yet
        await shift("20 days")
        assert await accounts.by_session(secret) == user
        assert await seconds_left() > 30 * 86400 - 10
        await shift("31 days")
        assert await accounts.by_session(secret) is None
        await accounts.open_session(user.id)
        async with database.connection() as connection:
            row = await (await connection.execute("SELECT count(*) AS n FROM sessions")).fetchone()
        assert row is not None
        assert row["n"] == 1, "expired sessions are cleared away"

    async def test_no_session_for_nobody(self, accounts: Accounts, user: User) -> None:
        from uuid import uuid4

        with pytest.raises(NotFound):
            await accounts.open_session(uuid4())
        with pytest.raises(NotFound):
            await accounts.signin_link(uuid4())
        for nonsense in ("", "x", "\x00", "\ud800", "ü" * 10_000):
            assert await accounts.by_session(nonsense) is None
            assert await accounts.by_token(nonsense) is None


class TestTokens:
    async def test_a_token_is_shown_once_and_acts_for_its_owner(self, accounts: Accounts, user: User) -> None:
        made = await accounts.create_token(user, TokenRequest(name="ci", scope="read", expires_in_days=7))
        assert made.token.startswith("dashapp_")
        assert await accounts.by_token(made.token) == (user, "read", made.id, "ci")
        (listed,) = await accounts.list_tokens(user)
        assert (listed.name, listed.scope, listed.id) == ("ci", "read", made.id)
        assert listed.last_used_at is not None
        assert not hasattr(listed, "token")
        assert made.expires_at is not None
        assert made.expires_at - made.created_at == timedelta(days=7)

    async def test_only_the_owner_deletes_it(self, accounts: Accounts, user: User) -> None:
        other = await accounts.create_user("eve@example.org", None, "admin")
        made = await accounts.create_token(user, TokenRequest(name="ci", scope="write"))
        with pytest.raises(NotFound):
            await accounts.delete_token(other, made.id)
        assert await accounts.list_tokens(other) == []
        await accounts.delete_token(user, made.id)
        assert await accounts.by_token(made.token) is None
        with pytest.raises(NotFound):
            await accounts.delete_token(user, made.id)

    async def test_an_expired_one_is_none(self, accounts: Accounts, user: User, database: Database) -> None:
        made = await accounts.create_token(user, TokenRequest(name="ci", scope="write", expires_in_days=1))
        async with database.connection() as connection:
            await connection.execute("UPDATE tokens SET expires_at = now() - interval '1 second'")
        assert await accounts.by_token(made.token) is None

    async def test_the_agents_token_replaces_its_predecessor_only(self, accounts: Accounts, user: User) -> None:
        mine = await accounts.create_token(user, TokenRequest(name="this host", scope="read"))
        first = await accounts.agent_token(user)
        second = await accounts.agent_token(user)
        assert await accounts.by_token(first) is None
        assert (await accounts.by_token(second) or ())[:2] == (user, "ingest")
        assert await accounts.by_token(mine.token) is not None
        assert len(await accounts.list_tokens(user)) == 2


async def test_only_hashes_of_secrets_are_stored(accounts: Accounts, user: User, database: Database) -> None:
    secrets = [
        await accounts.open_session(user.id),
        await accounts.signin_link(user.id),
        (await accounts.create_token(user, TokenRequest(name="a", scope="read"))).token,
    ]
    stored = await everything_stored(database)
    for secret in secrets:
        assert secret not in stored
        assert digest(secret).hex() in stored
    assert PASSWORD not in stored
    assert "$argon2id$" in stored
