"""A real server on a real database that can be stopped, and a real browser."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright

from dashapp.accounts.accounts import Accounts
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from tests import browser as browsers
from tests.postgres import own_postgres
from tests.running import Dashapp

PASSWORD = "correct horse battery"


async def _wait_for_function(self: Page, expression: str, *, arg: Any = None, timeout: float = 20_000, **_: Any) -> None:
    """Playwright's own evaluates text inside the page between frames, which the pages' policy forbids; asked from outside,
    the debugger may."""
    deadline = time.monotonic() + timeout / 1000
    while True:
        try:
            if await self.evaluate(expression, arg):
                return
        except Error as error:  # the page is being replaced by another
            if not re.search("context was destroyed|navigat", str(error), re.IGNORECASE):
                raise
        assert time.monotonic() < deadline, f"waited {timeout} ms for {expression}"
        await asyncio.sleep(0.03)


Page.wait_for_function = _wait_for_function  # type: ignore[method-assign,assignment]


@dataclass
class Site:
    """``dashapp serve`` on a PostgreSQL of its own."""

    server: Dashapp
    postgres: EmbeddedPostgres
    api: httpx.Client

    @property
    def url(self) -> str:
        return self.server.url

    def post(self, points: list[dict[str, Any]]) -> None:
        for start in range(0, len(points), 1000):
            answer = self.api.post("/api/v1/metrics", json=points[start : start + 1000])
            assert answer.status_code in (200, 201), answer.text

    def create(self, name: str, panels: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        answer = self.api.post("/api/v1/dashboards", json={"name": name, "panels": panels, **options})
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["data"])


@pytest.fixture(scope="session")
async def site() -> AsyncIterator[Site]:
    with own_postgres() as postgres:
        migrate(postgres.url)
        database = Database(postgres.url, size=1)
        await database.open()
        accounts = Accounts(database)
        await accounts.ensure_admin("admin@example.org", PASSWORD)
        await accounts.create_user("viewer@example.org", PASSWORD, "viewer")
        await accounts.create_user("editor@example.org", PASSWORD, "editor")
        await database.close()
        server = Dashapp(
            "serve", "--port", "0", "--data-dir", str(postgres.data_dir), env={"DASHAPP_DATABASE_URL": postgres.url}
        ).ready()
        api = httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=30)
        assert api.post("/api/v1/auth/login", json={"email": "admin@example.org", "password": PASSWORD}).status_code == 200
        yield Site(server, postgres, api)
        api.close()
        server.stop()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    path = browsers.find()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(browsers.MISSING)
        pytest.skip(browsers.MISSING)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=browsers.ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def anonymous(chromium: Browser) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(viewport={"width": 1400, "height": 900})
    violations: list[str] = []
    context.on("console", lambda said: violations.append(said.text) if "Content Security Policy" in said.text else None)
    yield context
    await context.close()
    assert violations == [], "in normal use no page breaks its own policy"


@pytest.fixture
async def signed_in(anonymous: BrowserContext, site: Site) -> BrowserContext:
    await sign_in(anonymous, site.url, "admin@example.org")
    return anonymous


async def sign_in(context: BrowserContext, url: str, email: str) -> None:
    answer = await context.request.post(
        f"{url}/api/v1/auth/login", data={"email": email, "password": PASSWORD}, headers={"Origin": url}
    )
    assert answer.ok, await answer.text()


async def open_dashboard(context: BrowserContext, url: str, *, ready: bool = True) -> Page:
    """The page, drawn."""
    page = await context.new_page()
    page.set_default_timeout(20_000)
    await page.goto(url)
    if ready:
        await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    return page


def series(
    name: str, tags: dict[str, str], values: list[float], *, step_s: int = 10, end_ms: int | None = None
) -> list[dict[str, Any]]:
    """Points of one series that end now."""
    end = (end_ms or time.time_ns() // 1_000_000) // 1000 * 1000
    first = end - (len(values) - 1) * step_s * 1000
    return [
        {"name": name, "tags": tags, "value": value, "timestamp": first + index * step_s * 1000}
        for index, value in enumerate(values)
    ]


@pytest.fixture(scope="session")
def twelve(site: Site) -> Iterator[dict[str, Any]]:
    """A dashboard of twelve panels of all five types over three hosts, with an hour of samples."""
    for host in ("a", "b", "c"):
        base = "abc".index(host) * 10.0
        site.post(series("demo.load", {"host": host}, [base + index % 37 for index in range(360)]))
    kinds = ["stat", "stat", "gauge", "bar", "line", "area", "line", "area", "line", "area", "line", "area"]
    panels = []
    for index, kind in enumerate(kinds):
        wide = index >= 4
        position = (
            {"x": (index % 4) * 3, "y": 0, "w": 3, "h": 2}
            if not wide
            else {"x": (index % 2) * 6, "y": 2 + (index - 4) // 2 * 4, "w": 6, "h": 4}
        )
        options = {
            "unit": "percent",
            "groupBy": [] if kind in ("stat", "gauge") else ["host"],
            "thresholds": {"warning": 60, "critical": 90},
        }
        panels.append({"title": f"Panel {index + 1}", "type": kind, "query": "demo.load", "options": options, "position": position})
    yield site.create("Twelve", panels, isPublic=True)
