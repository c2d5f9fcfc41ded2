"""Signing in through an OpenID Connect provider: a real one, if small, and a browser that goes there and back."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import BrowserContext, expect
from pydantic import ValidationError

from dashapp.database.pool import Database
from dashapp.server import create_app, make_services
from dashapp.services import Services
from dashapp.settings import Settings
from tests.pages.conftest import Site
from tests.provider import CLIENT_ID, CLIENT_SECRET, KEYS, TestProvider, running_provider
from tests.running import Dashapp

HERE = "http://dash.test"


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with running_provider() as provider:
        yield provider


class Visit:
    """A browser, as far as a sign-in needs one, before a whole dashapp."""

    def __init__(self, database: Database, provider: TestProvider, data_dir: Path, **settings: Any) -> None:
        given = {"oidc_issuer": provider.url, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET, **settings}
        self.services: Services = make_services(Settings(data_dir=data_dir, _env_file=None, **given), database)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(self.services)), base_url=HERE)

    async def leave(self, following: str = "/account") -> str:
        """The provider's address to go to, and so its answer: back to where?"""
        answer = await self.client.get("/oidc/login", params={"next": following})
        assert answer.status_code == 303, answer.text
        async with httpx.AsyncClient() as elsewhere:
            return str((await elsewhere.get(answer.headers["location"])).headers["location"])

    async def sign_in(self, change: Callable[[str], str] = str, following: str = "/account") -> httpx.Response:
        return await self.client.get(change(await self.leave(following)))

    async def refused(self, sentence: str, change: Callable[[str], str] = str) -> None:
        answer = await self.sign_in(change)
        assert answer.status_code in (400, 401, 502), answer.headers
        said = re.search(r'role="alert">(.*?)</p>', answer.text)
        assert said, answer.text
        assert re.search(sentence, said[1].replace("&#39;", "'")), said[1]
        assert "dashapp_session" not in self.client.cookies
        assert (await self.client.get("/account")).status_code == 303


@pytest.fixture
async def visit(database: Database, provider: TestProvider, tmp_path: Path) -> AsyncIterator[Visit]:
    visit = Visit(database, provider, tmp_path)
    yield visit
    await visit.client.aclose()


async def test_a_first_sign_in_makes_a_viewer_and_later_ones_find_it(visit: Visit, provider: TestProvider) -> None:
    answer = await visit.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    cookies = answer.headers.get_list("set-cookie")
    assert any("dashapp_session=" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    user = await visit.services.accounts.by_email("ada@example.org")
    assert user is not None
    assert user.role == "viewer"
    assert (await visit.client.get("/account")).status_code == 200
    visit.client.cookies.clear()
    provider.claims = {"email": "Ada@Example.org", "email_verified": "true"}
    assert (await visit.sign_in()).status_code == 303
    entries, _ = await visit.services.users.audit(1, 10)
    assert [(entry.actor, entry.action, entry.details) for entry in entries] == [
        ("ada@example.org", "session.open", {"by": "provider"}),
        ("ada@example.org", "session.open", {"by": "provider"}),
        ("sign-in provider", "user.create", {"role": "viewer"}),
    ]


async def test_an_account_with_this_email_is_signed_in(visit: Visit) -> None:
    made = await visit.services.accounts.create_user("ada@example.org", "a password too", "editor")
    assert (await visit.sign_in()).status_code == 303
    secret = visit.client.cookies["dashapp_session"]
    user = await visit.services.accounts.by_session(secret)
    assert user is not None
    assert (user.id, user.role) == (made.id, "editor")


async def test_an_email_that_only_userinfo_knows(visit: Visit, provider: TestProvider) -> None:
    provider.claims = {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "42", "email": "ada@example.org", "email_verified": True}
    assert (await visit.sign_in()).status_code == 303
    visit.client.cookies.clear()
    provider.userinfo["sub"] = "43"
    await visit.refused("names no e-mail")


#: Claims of an ID token, and what is said of them.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://evil.example"}, "isn't to be believed.*iss"),
    ({"nonce": "of another sign-in"}, "isn't to be believed.*nonce"),
    ({"nonce": None}, "isn't to be believed.*nonce"),
    ({"aud": "another client"}, "isn't to be believed.*aud"),
    ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "isn't to be believed.*azp"),
    ({"exp": int(time.time()) - 3600}, "isn't to be believed.*expired"),
    ({"exp": None}, "isn't to be believed.*exp"),
    ({"at_hash": "of another token"}, "isn't to be believed.*at_hash"),
    ({"email_verified": False}, "hasn't verified ada@example.org"),
    ({"email_verified": None}, "hasn't verified ada@example.org"),
    ({"email": None}, "names no e-mail"),
    ({"email": "no e-mail"}, "email"),
]


async def test_claims_that_are_refused(visit: Visit, provider: TestProvider) -> None:
    for claims, sentence in REFUSED:
        provider.claims = claims
        await visit.refused(sentence)
    assert await visit.services.users.everybody() == []


async def test_signatures_that_anybody_could_make(visit: Visit, provider: TestProvider) -> None:
    for provider.algorithm in ("none", "HS256"):
        await visit.refused("isn't to be believed")


async def test_a_signature_with_another_key(visit: Visit, provider: TestProvider) -> None:
    provider.signing_key = KEYS[1]
    await visit.refused("isn't to be believed")


async def test_keys_may_change(visit: Visit, provider: TestProvider) -> None:
    assert (await visit.sign_in()).status_code == 303
    visit.client.cookies.clear()
    provider.key = provider.signing_key = KEYS[1]
    assert (await visit.sign_in()).status_code == 303


class TestTheWayBack:
    async def test_with_another_state(self, visit: Visit) -> None:
        await visit.refused("begun in another window", lambda url: re.sub(r"state=[^&]+", "state=x", url))

    async def test_with_a_code_of_somebody_elses_sign_in(self, visit: Visit) -> None:
        theirs = parse_qs(urlsplit(await visit.leave()).query)["code"][0]
        await visit.refused("doesn't take this sign-in", lambda url: re.sub(r"code=[^&]+", f"code={theirs}", url))

    async def test_of_another_provider(self, visit: Visit) -> None:
        await visit.refused("another provider", lambda url: f"{url}&iss=https://evil.example")

    async def test_in_a_browser_that_never_left(self, visit: Visit) -> None:
        def forget(url: str) -> str:
            visit.client.cookies.clear()
            return url

        await visit.refused("begun in another browser", forget)

    async def test_twice(self, visit: Visit) -> None:
        back = await visit.leave()
        assert (await visit.client.get(back)).status_code == 303
        visit.client.cookies.delete("dashapp_session")
        assert (await visit.client.get(back)).status_code == 401

    async def test_with_a_refusal(self, visit: Visit) -> None:
        await visit.refused("didn't sign you in", lambda url: re.sub(r"code=[^&]+", "error=access_denied", url))

    async def test_leads_nowhere_else(self, visit: Visit) -> None:
        assert (await visit.sign_in(following="https://evil.example/")).headers["location"] == "/"


class TestWhoMay:
    async def test_only_the_domains_that_are_set(self, database: Database, provider: TestProvider, tmp_path: Path) -> None:
        visit = Visit(database, provider, tmp_path, oidc_domains="example.com, @example.net")
        await visit.refused("E-mails at example.org may not sign in here")
        provider.claims = {"email": "ada@evil-example.com"}
        await visit.refused("may not sign in here")
        provider.claims = {"email": "ada@EXAMPLE.net"}
        assert (await visit.sign_in()).status_code == 303

    async def test_only_who_has_an_account(self, database: Database, provider: TestProvider, tmp_path: Path) -> None:
        visit = Visit(database, provider, tmp_path, oidc_role="none")
        await visit.refused("There is no account for ada@example.org here")
        await visit.services.accounts.create_user("ada@example.org", None, "viewer")
        assert (await visit.sign_in()).status_code == 303

    async def test_nobody_whose_account_is_closed(self, visit: Visit, database: Database) -> None:
        await visit.services.accounts.create_user("ada@example.org", None, "viewer")
        async with database.connection() as connection:
            await connection.execute("UPDATE users SET disabled_at = now()")
        await visit.refused("The account of ada@example.org is closed")


class TestAProvider:
    async def test_that_is_away(self, visit: Visit, provider: TestProvider) -> None:
        provider.metadata = {"issuer": "https://evil.example"}
        answer = await visit.client.get("/oidc/login")
        assert (answer.status_code, "calls itself" in answer.text) == (502, True)
        provider.metadata = {"token_endpoint": "ftp://elsewhere"}
        assert "token_endpoint isn&#39;t https" in (await visit.client.get("/oidc/login")).text
        provider.metadata = {}
        assert (await visit.sign_in()).status_code == 303

    async def test_that_is_not_set_has_no_button(self, database: Database, tmp_path: Path) -> None:
        services = make_services(Settings(data_dir=tmp_path, _env_file=None), database)  # type: ignore[call-arg]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url=HERE) as client:
            assert "/oidc/" not in (await client.get("/login")).text
            assert (await client.get("/oidc/login")).status_code == 404

    @pytest.mark.parametrize("issuer", ["http://id.example.org", "id.example.org", "https://"])
    def test_that_could_be_overheard(self, issuer: str) -> None:
        with pytest.raises(ValidationError, match="https:// address"):
            Settings(oidc_issuer=issuer, oidc_client_id="x", _env_file=None)  # type: ignore[call-arg]


async def test_a_browser_goes_there_and_back(anonymous: BrowserContext, site: Site, provider: TestProvider, tmp_path: Path) -> None:
    provider.claims = {"email": "admin@example.org"}
    environment = {
        "DASHAPP_DATABASE_URL": site.postgres.url, "DASHAPP_OIDC_ISSUER": provider.url, "DASHAPP_OIDC_CLIENT_ID": CLIENT_ID,
        "DASHAPP_OIDC_CLIENT_SECRET": CLIENT_SECRET, "DASHAPP_OIDC_NAME": "Example ID",
    }  # fmt: skip
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()
    try:
        page = await anonymous.new_page()
        await page.goto(f"{server.url}/account")
        await page.get_by_role("link", name="Sign in with Example ID").click()
        await expect(page).to_have_url(f"{server.url}/account")
        await expect(page.get_by_text("admin@example.org").first).to_be_visible()
    finally:
        server.stop()
