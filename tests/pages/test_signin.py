"""Signing in and out, and who is refused: over HTTP, in a browser, and on the websocket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx
import pytest
from playwright.async_api import BrowserContext, expect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from dashapp.pages.admission import REFUSED
from tests.pages.conftest import PASSWORD, Site, open_dashboard, sign_in


@pytest.fixture
def board(site: Site) -> str:
    panel = {"title": "P", "type": "stat", "query": "demo.signin", "position": {"x": 0, "y": 0, "w": 4, "h": 2}}
    return str(site.create("Private", [panel])["id"])


async def test_the_form_signs_in_and_leads_where_one_wanted_to_go(anonymous: BrowserContext, site: Site, board: str) -> None:
    page = await anonymous.new_page()
    await page.goto(f"{site.url}/d/{board}?from=now-6h")
    await expect(page).to_have_url(re.compile("/login"))
    await page.fill('[name="email"]', "admin@example.org")
    await page.fill('[name="password"]', "wrong")
    await page.press('[name="password"]', "Enter")
    await expect(page.locator('[role="alert"]')).to_contain_text("don't match")
    assert await page.input_value('[name="email"]') == "admin@example.org"
    await page.fill('[name="password"]', PASSWORD)
    await page.press('[name="password"]', "Enter")
    await expect(page).to_have_url(re.compile(f"/d/{board}"))
    assert "from=now-6h" in page.url
    await page.locator('form[action="/logout"] button').click()
    await expect(page).to_have_url(re.compile("/login"))
    await page.goto(f"{site.url}/")
    await expect(page).to_have_url(re.compile("/login"))


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_sign_in_leads_nowhere_else(site: Site, elsewhere: str) -> None:
    fields = {"email": "admin@example.org", "password": PASSWORD, "next": elsewhere}
    answer = httpx.post(f"{site.url}/login", data=fields, headers={"Origin": site.url})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    answer = httpx.post(
        f"{site.url}/login", data={"email": "admin@example.org", "password": PASSWORD}, headers={"Origin": site.url}
    )
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_another_sites_form_signs_nobody_in_or_out(site: Site) -> None:
    for path in ("/login", "/logout"):
        answer = httpx.post(f"{site.url}{path}", data={"email": "a", "password": "b"}, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403


def test_pages_refuse_who_is_not_signed_in(site: Site, board: str) -> None:
    for path in ("/", f"/d/{board}"):
        answer = httpx.get(f"{site.url}{path}")
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")
    assert httpx.get(f"{site.url}/nowhere").status_code == 404


async def test_a_private_dashboard_is_unknown_to_others(anonymous: BrowserContext, site: Site, board: str) -> None:
    await sign_in(anonymous, site.url, "viewer@example.org")
    page = await anonymous.new_page()
    for path in (board, "00000000-0000-0000-0000-000000000000", "not-an-id"):
        answer = await page.goto(f"{site.url}/d/{path}")
        assert answer is not None
        assert answer.status == 404
        await expect(page.locator("h2")).to_have_text("Not found")
    await page.goto(f"{site.url}/")
    assert "Private" not in await page.content()


async def _token(context: BrowserContext, site: Site, board: str) -> tuple[str, str]:
    """A page's session token and the browser's cookie."""
    answer = await context.request.get(f"{site.url}/d/{board}")
    token = re.search(r'"token":"([^"]+)"', await answer.text())
    assert token
    cookies = {cookie.get("name"): cookie.get("value") for cookie in await context.cookies()}
    return token[1], f"dashapp_session={cookies['dashapp_session']}"


async def _opens(site: Site, board: str, token: str, headers: dict[str, str]) -> bool:
    url = f"{site.url.replace('http', 'ws')}/d/{board}/ws"
    try:
        async with connect(url, subprotocols=[Subprotocol("bokeh"), Subprotocol(token)], additional_headers=headers) as socket:
            return bool(await socket.recv())
    except InvalidStatus as refused:
        if refused.response.status_code == 403:
            return False
        raise


async def test_the_websocket_asks_for_origin_sign_in_permission_and_a_live_session(
    signed_in: BrowserContext, site: Site, board: str
) -> None:
    token, cookie = await _token(signed_in, site, board)
    assert not await _opens(site, board, token, {})
    assert not await _opens(site, board, token, {"Cookie": "dashapp_session=guess", "Origin": site.url})
    assert not await _opens(site, board, token, {"Cookie": cookie, "Origin": "https://evil.example"})
    assert not await _opens(site, board, token[:-3] + "xyz", {"Cookie": cookie, "Origin": site.url})
    fields = {"email": "viewer@example.org", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=site.url, headers={"Origin": site.url}) as client:
        login = await client.post("/api/v1/auth/login", json=fields)
    viewer = f"dashapp_session={login.cookies['dashapp_session']}"
    assert not await _opens(site, board, token, {"Cookie": viewer, "Origin": site.url})
    assert await _opens(site, board, token, {"Cookie": cookie, "Origin": site.url})


async def test_a_page_comes_back_by_itself_when_the_server_forgot_it(signed_in: BrowserContext, site: Site, board: str) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{board}?from=now-6h&refresh=1s")
    await page.evaluate(
        "window.before = true; dashapp.frames.state.document.event_manager.send_event({event_name: 'connection_lost'})"
    )
    await page.wait_for_function("window.before === undefined && performance.getEntriesByName('dashapp-ready').length > 0")
    assert "from=now-6h" in page.url


def test_scripts_are_kept_by_browsers_and_sent_small(site: Site) -> None:
    page = httpx.get(f"{site.url}/login").text
    sheet = re.search(r'href="(/assets/[^"]+\.css)"', page)
    assert sheet
    small = httpx.get(f"{site.url}{sheet[1]}", headers={"Accept-Encoding": "gzip"})
    plain = httpx.get(f"{site.url}{sheet[1]}", headers={"Accept-Encoding": "identity"})
    assert "immutable" in small.headers["cache-control"]
    assert small.headers["content-encoding"] == "gzip"
    assert small.text == plain.text
    assert httpx.get(f"{site.url}/assets/000000000000/css/dashapp.css").status_code == 404


def _shown(site: Site) -> str:
    panel = {"title": "P", "type": "stat", "query": "demo.signin", "position": {"x": 0, "y": 0, "w": 4, "h": 2}}
    return str(site.create("Shown", [panel], isPublic=True)["id"])


class _Viewer:
    """A viewer of a public dashboard of one's own, with its websocket open."""

    def __init__(self, site: Site, name: str) -> None:
        fields = {"email": f"{name}@losing.example.org", "password": PASSWORD}
        self.id = site.api.post("/api/v1/users", json=fields).json()["data"]["id"]
        self.board, self.site = _shown(site), site
        self.api = httpx.AsyncClient(base_url=site.url, headers={"Origin": site.url}, timeout=60)
        self._fields = fields

    async def close_code_after(self, lose: Callable[[_Viewer], Awaitable[object]], *, within: float = 10) -> int | None:
        """What the socket is closed with when `lose` is done, or None after so many seconds."""
        async with self.api:
            assert (await self.api.post("/api/v1/auth/login", json=self._fields)).is_success
            token = re.search(r'"token":"([^"]+)"', (await self.api.get(f"/d/{self.board}")).text)
            assert token
            headers = {"Cookie": f"dashapp_session={self.api.cookies['dashapp_session']}", "Origin": self.site.url}
            url = f"{self.site.url.replace('http', 'ws')}/d/{self.board}/ws"
            subprotocols = [Subprotocol("bokeh"), Subprotocol(token[1])]
            async with connect(url, subprotocols=subprotocols, additional_headers=headers) as socket:
                assert await socket.recv()
                await lose(self)
                try:
                    return await asyncio.wait_for(_closed(socket), within)
                except TimeoutError:
                    return None

    async def end_this_session(self) -> None:
        sessions = (await self.api.get("/api/v1/auth/sessions")).json()["data"]
        await self.api.delete(f"/api/v1/auth/sessions/{next(session['id'] for session in sessions if session['current'])}")


async def _admin(viewer: _Viewer, method: str, path: str, body: dict[str, object] | None = None) -> None:
    answer = await asyncio.to_thread(viewer.site.api.request, method, f"/api/v1{path}", json=body)
    assert answer.is_success


class TestLosingPermission:
    async def test_closes_open_websockets(self, site: Site) -> None:
        losses: dict[str, Callable[[_Viewer], Awaitable[object]]] = {
            "signed-out": lambda one: one.api.post("/api/v1/auth/logout"),
            "everywhere": lambda one: one.api.delete("/api/v1/auth/sessions"),
            "revoked": lambda one: one.end_this_session(),
            "disabled": lambda one: _admin(one, "PUT", f"/users/{one.id}", {"disabled": True}),
            "password": lambda one: _admin(one, "PUT", f"/users/{one.id}", {"password": None}),
            "gone": lambda one: _admin(one, "DELETE", f"/users/{one.id}"),
            "private": lambda one: _admin(one, "PUT", f"/dashboards/{one.board}", {"isPublic": False}),
            "no-dashboard": lambda one: _admin(one, "DELETE", f"/dashboards/{one.board}"),
        }
        viewers = {name: _Viewer(site, name) for name in losses}
        all_closed = asyncio.Event()
        unharmed = asyncio.create_task(_Viewer(site, "nothing").close_code_after(lambda _: all_closed.wait(), within=0.5))
        codes = await asyncio.gather(*(viewers[name].close_code_after(loss) for name, loss in losses.items()))
        all_closed.set()
        assert dict(zip(losses, codes, strict=True)) == dict.fromkeys(losses, REFUSED)
        assert await unharmed is None

    async def test_of_an_admins_role_closes_what_only_admins_see(self, site: Site) -> None:
        viewer = _Viewer(site, "demoted")
        await _admin(viewer, "PUT", f"/users/{viewer.id}", {"role": "admin"})
        await _admin(viewer, "PUT", f"/dashboards/{viewer.board}", {"isPublic": False})
        assert await viewer.close_code_after(lambda one: _admin(one, "PUT", f"/users/{one.id}", {"role": "editor"})) == REFUSED

    async def test_takes_an_open_page_to_the_sign_in(self, anonymous: BrowserContext, site: Site) -> None:
        await sign_in(anonymous, site.url, "viewer@example.org")
        page = await open_dashboard(anonymous, f"{site.url}/d/{_shown(site)}?from=now-6h")
        answer = await anonymous.request.delete(f"{site.url}/api/v1/auth/sessions", headers={"Origin": site.url})
        assert answer.ok
        await expect(page).to_have_url(re.compile("/login"), timeout=15_000)
        assert "from%3Dnow-6h" in page.url


async def _closed(socket: ClientConnection) -> int | None:
    """The code that it is closed with."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        return socket.close_code
