"""Admins and accounts, sessions and passwords, and the log of who did what."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from dashapp.accounts.accounts import MOST_SESSIONS, Accounts
from dashapp.services import Services
from tests.api.conftest import World, failed

PASSWORD = "correct horse battery"
NEW = "staple of another kind"


async def made(admin: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await admin.post("/users", json={"email": "ada@example.org", "role": "editor", "password": PASSWORD} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def signed_in(client: httpx.AsyncClient, password: str = PASSWORD, email: str = "ada@example.org") -> httpx.Response:
    client.cookies.clear()
    return await client.post("/auth/login", json={"email": email, "password": password})


class TestUsers:
    async def test_made_listed_changed_and_deleted(self, admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        ada = await made(admin)
        assert (ada["email"], ada["role"], ada["disabled"], ada["hasPassword"]) == ("ada@example.org", "editor", False, True)
        assert "assword" not in str({key: value for key, value in ada.items() if key != "hasPassword"})
        failed(await admin.post("/users", json={"email": "ADA@example.org"}), 409, "CONFLICT")
        assert (await signed_in(client)).status_code == 200
        listed = {one["email"]: one for one in (await admin.get("/users")).json()["data"]}
        assert listed["ada@example.org"]["lastSeenAt"]
        assert (await client.get("/auth/me")).json()["data"]["role"] == "editor"
        await admin.put(f"/users/{ada['id']}", json={"role": "viewer"})
        assert (await client.get("/auth/me")).json()["data"]["role"] == "viewer"
        assert (await admin.delete(f"/users/{ada['id']}")).status_code == 204
        failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")
        failed(await admin.delete(f"/users/{ada['id']}"), 404, "NOT_FOUND")
        failed(await admin.put(f"/users/{ada['id']}", json={"role": "viewer"}), 404, "NOT_FOUND")

    async def test_a_closed_account_is_shut_everywhere_and_opens_again(
        self, admin: httpx.AsyncClient, client: httpx.AsyncClient, world: World, services: Services
    ) -> None:
        ada = await made(admin)
        await signed_in(client)
        secret = client.cookies["dashapp_session"]
        token = (await client.post("/auth/tokens", json={"name": "t", "scope": "write"})).json()["data"]["token"]
        link = (await admin.post(f"/users/{ada['id']}/signin-link")).json()["data"]["path"].partition("=")[2]
        answer = await admin.put(f"/users/{ada['id']}", json={"disabled": True})
        assert answer.json()["data"]["disabled"]
        failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")
        failed(await signed_in(client), 401, "UNAUTHORIZED")
        failed(await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}), 401, "UNAUTHORIZED")
        with pytest.raises(Exception, match="used before or has expired"):
            await services.accounts.redeem_link(link)
        await admin.put(f"/users/{ada['id']}", json={"disabled": False})
        assert await services.accounts.by_session(secret) is None, "closing ended it, opening brings it not back"
        assert (await signed_in(client)).status_code == 200
        assert (await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})).status_code == 200

    async def test_a_password_is_reset_by_a_link(
        self, admin: httpx.AsyncClient, client: httpx.AsyncClient, services: Services
    ) -> None:
        ada = await made(admin)
        await signed_in(client)
        answer = await admin.put(f"/users/{ada['id']}", json={"password": None})
        assert not answer.json()["data"]["hasPassword"]
        failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")
        failed(await signed_in(client), 401, "UNAUTHORIZED")
        path = (await admin.post(f"/users/{ada['id']}/signin-link")).json()["data"]["path"]
        _, secret = await services.accounts.redeem_link(path.partition("=")[2])
        client.cookies.set("dashapp_session", secret)
        assert (await client.put("/auth/password", json={"new": NEW})).status_code == 200
        assert (await signed_in(client, NEW)).status_code == 200

    async def test_one_admin_always_stays(self, admin: httpx.AsyncClient, world: World) -> None:
        me = world.users["admin"]
        other = await world.person("other", "admin")
        for body in ({"role": "viewer"}, {"disabled": True}):
            failed(await admin.put(f"/users/{me.id}", json=body), 409, "CONFLICT")
        failed(await admin.delete(f"/users/{me.id}"), 409, "CONFLICT")
        assert (await admin.put(f"/users/{me.id}", json={"role": "admin"})).status_code == 200
        # Each demotes the other at once: one of the two comes too late.
        answers = await asyncio.gather(
            admin.put(f"/users/{world.users['other'].id}", json={"role": "viewer"}),
            other.put(f"/users/{me.id}", json={"role": "viewer"}),
        )
        assert sorted(answer.status_code for answer in answers) in ([200, 403], [200, 409])

    @pytest.mark.parametrize("fate", ["keep", "delete"])
    async def test_dashboards_of_a_deleted_user(self, admin: httpx.AsyncClient, world: World, fate: str) -> None:
        editor = await world.person("editor", "editor")
        board = (await editor.post("/dashboards", json={"name": "Theirs"})).json()["data"]
        answer = await admin.delete(f"/users/{world.users['editor'].id}", params={"dashboards": fate})
        assert answer.status_code == 204
        answer = await admin.get(f"/dashboards/{board['id']}")
        if fate == "keep":
            assert answer.json()["data"]["ownerId"] == str(world.users["admin"].id)
        else:
            failed(answer, 404, "NOT_FOUND")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"email": "nobody"}, "email"),
            ({"email": "a@b.org", "role": "root"}, "role"),
            ({"email": "a@b.org", "password": "short"}, "password"),
            ({"email": "a\x00@b.org"}, "email"),
            ({"email": "a@b.org", "isAdmin": True}, "isAdmin"),
        ],
    )
    async def test_what_cannot_be(self, admin: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
        assert field in failed(await admin.post("/users", json=body), 400, "VALIDATION_ERROR")


class TestSessions:
    async def test_listed_and_ended_one_by_one(self, client: httpx.AsyncClient, world: World) -> None:
        mine, other, eve = [await world.person(name, "viewer") for name in ("ada", "ada", "eve")]
        sessions = (await mine.get("/auth/sessions")).json()["data"]
        assert sorted(session["current"] for session in sessions) == [False, True]
        (theirs,) = [session["id"] for session in sessions if not session["current"]]
        failed(await eve.delete(f"/auth/sessions/{theirs}"), 404, "NOT_FOUND")
        assert (await mine.delete(f"/auth/sessions/{theirs}")).status_code == 204
        failed(await other.get("/auth/me"), 401, "UNAUTHORIZED")
        assert (await mine.get("/auth/me")).status_code == 200
        failed(await mine.delete(f"/auth/sessions/{theirs}"), 404, "NOT_FOUND")

    async def test_signing_out_everywhere(self, world: World) -> None:
        mine, other, eve = [await world.person(name, "viewer") for name in ("ada", "ada", "eve")]
        answer = await mine.delete("/auth/sessions")
        assert answer.status_code == 204
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
        for browser in (mine, other):
            failed(await browser.get("/auth/me"), 401, "UNAUTHORIZED")
        assert (await eve.get("/auth/me")).status_code == 200

    async def test_a_new_password_ends_the_others(self, admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        await made(admin)
        await signed_in(client)
        details = failed(await client.put("/auth/password", json={"current": "wrong", "new": NEW}), 400, "VALIDATION_ERROR")
        assert "current" in details
        failed(await client.put("/auth/password", json={"current": PASSWORD, "new": "short"}), 400, "VALIDATION_ERROR")
        first = client.cookies["dashapp_session"]
        await signed_in(client)
        second = client.cookies["dashapp_session"]
        assert first != second
        assert (await client.put("/auth/password", json={"current": PASSWORD, "new": NEW})).status_code == 200
        assert (await client.get("/auth/me")).status_code == 200
        client.cookies.clear()
        client.cookies.set("dashapp_session", first)
        failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")
        failed(await signed_in(client), 401, "UNAUTHORIZED")
        assert (await signed_in(client, NEW)).status_code == 200

    async def test_guessing_the_present_password_is_slowed(self, admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        await made(admin)
        await signed_in(client)
        body = {"current": "guess", "new": NEW}
        answers = await asyncio.gather(*(client.put("/auth/password", json=body) for _ in range(8)))
        assert 429 in {answer.status_code for answer in answers}

    async def test_signing_in_makes_a_new_one_in_place_of_the_old(
        self, admin: httpx.AsyncClient, client: httpx.AsyncClient
    ) -> None:
        await made(admin)
        await signed_in(client)
        before = client.cookies["dashapp_session"]
        answer = await client.post("/auth/login", json={"email": "ada@example.org", "password": PASSWORD})
        assert answer.cookies["dashapp_session"] != before
        client.cookies.clear()
        client.cookies.set("dashapp_session", before)
        failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")

    async def test_tokens_touch_neither_sessions_nor_passwords(self, world: World) -> None:
        program = await world.program("ada", "admin", "write")
        for method, path in (("GET", "/auth/sessions"), ("DELETE", "/auth/sessions"), ("PUT", "/auth/password")):
            failed(await program.request(method, path, json={"new": NEW} if method == "PUT" else None), 403, "FORBIDDEN")

    async def test_there_are_never_too_many(self, services: Services, world: World) -> None:
        user = await world.user("ada", "viewer")
        secrets = [await services.accounts.open_session(user.id) for _ in range(MOST_SESSIONS + 3)]
        alive = await services.accounts.by_sessions(secrets)
        assert len(alive) == MOST_SESSIONS
        assert secrets[-1] in alive

    async def test_one_that_is_not_used_ends(self, services: Services, world: World) -> None:
        user = await world.user("ada", "viewer")
        shortly = Accounts(services.database, idle=timedelta(hours=1))
        secret = await shortly.open_session(user.id)
        used = "UPDATE sessions SET last_seen_at = now() - interval '50 min', expires_at = now() + interval '10 min'"
        late = "UPDATE sessions SET last_seen_at = now() - interval '61 min', expires_at = now() - interval '1 min'"
        for statement, alive in ((used, True), (late, False)):
            async with services.database.connection() as connection:
                await connection.execute(statement)
            assert (await shortly.by_session(secret) is not None) is alive
            if alive:  # it was used just now, and so lasts an hour again
                (session,) = await shortly.sessions(user)
                assert session.expires_at > datetime.now(UTC) + timedelta(minutes=55)

    async def test_one_ends_however_much_it_is_used(self, services: Services, world: World) -> None:
        user = await world.user("ada", "viewer")
        secret = await services.accounts.open_session(user.id)
        async with services.database.connection() as connection:
            await connection.execute(
                "UPDATE sessions SET ends_at = now() + '1 hour'::interval, last_seen_at = now() - '1 day'::interval"
            )
        assert await services.accounts.by_session(secret) == user
        (session,) = await services.accounts.sessions(user, secret)
        assert session.current
        assert session.expires_at == session.ends_at
        async with services.database.connection() as connection:
            await connection.execute("UPDATE sessions SET ends_at = now() - '1 second'::interval")
        assert await services.accounts.by_session(secret) is None
        for_ever = Accounts(services.database, lifetime=None)
        await for_ever.open_session(user.id)
        (session,) = await for_ever.sessions(user)
        assert session.ends_at is None


class TestAudit:
    async def test_every_change_is_written_down_with_who_and_where(self, admin: httpx.AsyncClient, world: World) -> None:
        editor = await world.person("editor", "editor")
        ada = await made(admin, email="x@example.org")
        await admin.put(f"/users/{ada['id']}", json={"role": "viewer", "password": NEW})
        board = (await editor.post("/dashboards", json={"name": "Mine"})).json()["data"]
        panel = await editor.post(f"/dashboards/{board['id']}/panels", json={"title": "P", "type": "line", "query": "q"})
        panel_id = panel.json()["data"]["id"]
        await editor.put(f"/panels/{panel_id}", json={"title": "P2"})
        await editor.delete(f"/panels/{panel_id}")
        await editor.put(f"/dashboards/{board['id']}", json={"isPublic": True})
        token = (await editor.post("/auth/tokens", json={"name": "ci", "scope": "write"})).json()["data"]
        program = await world._client(headers={"Authorization": f"Bearer {token['token']}"})
        answer = await program.delete(f"/dashboards/{board['id']}")
        await editor.delete(f"/auth/tokens/{token['id']}")
        await admin.delete(f"/users/{ada['id']}")
        log = (await admin.get("/audit", params={"pageSize": 200})).json()
        seen = [
            (entry["actor"], entry["action"], entry["target"]) for entry in reversed(log["data"]) if entry["actor"] != "dashapp"
        ]
        assert seen == [
            ("admin@example.org", "user.create", "x@example.org"),
            ("admin@example.org", "user.change", "x@example.org"),
            ("editor@example.org", "dashboard.create", "Mine"),
            ("editor@example.org", "panel.create", "P"),
            ("editor@example.org", "panel.change", "P2"),
            ("editor@example.org", "panel.delete", "P2"),
            ("editor@example.org", "dashboard.change", "Mine"),
            ("editor@example.org", "token.create", "ci"),
            ("editor@example.org", "dashboard.delete", "Mine"),
            ("editor@example.org", "token.delete", "ci"),
            ("admin@example.org", "user.delete", "x@example.org"),
        ]
        gone = next(entry for entry in log["data"] if entry["action"] == "dashboard.delete")
        assert (gone["token"], gone["targetId"]) == ("ci", board["id"])
        assert gone["address"] == "127.0.0.1"
        assert gone["requestId"] == answer.headers["X-Request-Id"]
        for secret in (NEW, PASSWORD, token["token"]):
            assert secret not in str(log)
        page = (await admin.get("/audit", params={"by": "EDITOR@example.org", "page": 2, "pageSize": 3})).json()
        assert page["meta"] == {"total": 8, "page": 2, "pageSize": 3}
        assert len(page["data"]) == 3
        assert (await admin.get("/audit", params={"targetId": board["id"]})).json()["meta"]["total"] == 3

    async def test_what_is_refused_leaves_nothing(self, admin: httpx.AsyncClient) -> None:
        before = (await admin.get("/audit")).json()["meta"]["total"]
        failed(await admin.post("/users", json={"email": "admin@example.org"}), 409, "CONFLICT")
        assert (await admin.get("/audit")).json()["meta"]["total"] == before

    async def test_the_stores_own_changes_are_dashapps(self, services: Services, admin: httpx.AsyncClient) -> None:
        await services.accounts.create_user("cli@example.org", None, "viewer")
        (entry,) = (await admin.get("/audit", params={"action": "user.create", "by": "dashapp"})).json()["data"][:1]
        assert (entry["target"], entry["actorId"], entry["address"]) == ("cli@example.org", None, "")
