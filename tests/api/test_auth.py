from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from dashapp.contract.accounts import NewToken, Token, User
from dashapp.services import Services
from tests.api.conftest import ORIGIN, World, failed

PASSWORD = "correct horse battery"


@pytest.fixture
async def ada(services: Services) -> User:
    return await services.accounts.create_user("ada@example.org", PASSWORD, "editor")


async def test_signing_in_and_out(client: httpx.AsyncClient, ada: User) -> None:
    failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")
    answer = await client.post("/auth/login", json={"email": "Ada@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert User.model_validate(answer.json()["data"]) == ada
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert (await client.get("/auth/me")).json()["data"]["email"] == "ada@example.org"
    secret = client.cookies["dashapp_session"]
    answer = await client.post("/auth/logout")
    assert answer.status_code == 200
    assert "dashapp_session" not in client.cookies
    client.cookies.set("dashapp_session", secret)
    failed(await client.get("/auth/me"), 401, "UNAUTHORIZED")
    assert (await client.post("/auth/logout")).status_code == 200


async def test_on_https_the_cookie_is_secure(client: httpx.AsyncClient, ada: User) -> None:
    answer = await client.post("https://dash.test/api/v1/auth/login", json={"email": ada.email, "password": PASSWORD})
    assert "Secure" in answer.headers["Set-Cookie"]


async def test_bad_credentials_and_too_many_of_them(client: httpx.AsyncClient, ada: User) -> None:
    answers = [await client.post("/auth/login", json={"email": ada.email, "password": f"guess {n}"}) for n in range(6)]
    for answer in answers[:5]:
        failed(answer, 401, "UNAUTHORIZED")
        assert "Set-Cookie" not in answer.headers
    failed(answers[5], 429, "RATE_LIMITED")
    assert int(answers[5].headers["Retry-After"]) > 0


@pytest.mark.parametrize("body", [{}, {"email": "a@b"}, {"email": 1, "password": "x"}, {"email": "a\x00@b", "password": "x"}, []])
async def test_bad_bodies(refused: httpx.AsyncClient, body: object) -> None:
    assert failed(await refused.post("/auth/login", json=body), 400, "VALIDATION_ERROR")


class TestTokens:
    async def test_life_of_a_token(self, editor: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        answer = await editor.post("/auth/tokens", json={"name": "ci", "scope": "read", "expiresInDays": 3})
        assert answer.status_code == 201
        made = NewToken.model_validate(answer.json()["data"])
        bearer = {"Authorization": f"bearer {made.token}"}
        assert (await client.get("/auth/me", headers=bearer)).json()["data"]["email"] == "editor@example.org"
        listed = (await editor.get("/auth/tokens")).json()["data"]
        assert [Token.model_validate(item).id for item in listed] == [made.id]
        assert made.token not in str(listed)
        deleted = await editor.delete(f"/auth/tokens/{made.id}")
        assert (deleted.status_code, deleted.content) == (204, b"")
        failed(await client.get("/auth/me", headers=bearer), 401, "UNAUTHORIZED")
        failed(await editor.delete(f"/auth/tokens/{made.id}"), 404, "NOT_FOUND")

    async def test_one_of_someone_else_is_not_there(self, editor: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
        made = (await editor.post("/auth/tokens", json={"name": "ci", "scope": "read"})).json()["data"]
        failed(await admin.delete(f"/auth/tokens/{made['id']}"), 404, "NOT_FOUND")
        assert (await admin.get("/auth/tokens")).json()["data"] == []

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": "", "scope": "read"}, "name"),
            ({"name": "a", "scope": "root"}, "scope"),
            ({"name": "a", "scope": "read", "expiresInDays": 0}, "expiresInDays"),
            ({"name": "a", "scope": "read", "admin": True}, "admin"),
        ],
    )
    async def test_bad_requests(self, refused: httpx.AsyncClient, body: object, field: str) -> None:
        assert field in failed(await refused.post("/auth/tokens", json=body), 400, "VALIDATION_ERROR")

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic YWRhOmFkYQ==", "Bearer ü" * 100])
    async def test_a_bad_token_is_not_made_good_by_a_cookie(self, refused: httpx.AsyncClient, header: str) -> None:
        answer = await refused.get("/auth/me", headers={"Authorization": header.encode("latin-1")})  # type: ignore[dict-item]
        failed(answer, 401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


class TestForeignPages:
    """A page of another origin can make the visitor's browser send requests with the cookie."""

    FOREIGN = (
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.dash.test"},
    )

    @pytest.mark.parametrize("headers", FOREIGN)
    async def test_change_nothing_with_the_visitors_cookie(self, refused: httpx.AsyncClient, headers: dict[str, str]) -> None:
        for method, path in (
            ("POST", "/dashboards"), ("PUT", f"/dashboards/{uuid4()}"), ("DELETE", f"/dashboards/{uuid4()}"),
            ("POST", "/metrics"), ("POST", "/auth/tokens"), ("POST", "/auth/logout"), ("POST", "/query/batch"),
        ):  # fmt: skip
            answer = await refused.request(method, path, json={"name": "x"}, headers=headers)
            failed(answer, 403, "FORBIDDEN")
        assert (await refused.get("/dashboards", headers=headers)).json()["meta"]["total"] == 0

    @pytest.mark.parametrize("headers", FOREIGN)
    async def test_sign_nobody_in(self, client: httpx.AsyncClient, ada: User, headers: dict[str, str]) -> None:
        answer = await client.post("/auth/login", json={"email": ada.email, "password": PASSWORD}, headers=headers)
        failed(answer, 403, "FORBIDDEN")

    async def test_our_own_may(self, editor: httpx.AsyncClient) -> None:
        for headers in ({"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin"}, {}):
            assert (await editor.post("/dashboards", json={"name": "x"}, headers=headers)).status_code == 201

    async def test_a_token_comes_from_no_browsers_memory(self, world: World) -> None:
        program = await world.program("editor", "editor", "write")
        answer = await program.post("/dashboards", json={"name": "x"}, headers={"Origin": "http://evil.test"})
        assert answer.status_code == 201
