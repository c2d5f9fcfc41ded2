"""Public links: live for whoever has one, nothing else, until they are ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from bokeh.document import Document
from playwright.async_api import BrowserContext, expect

from dashapp.panels.card import Cards
from tests.pages.conftest import Site, open_dashboard, series
from tests.running import until


@pytest.fixture(scope="module")
def dashboard(site: Site) -> dict[str, Any]:
    site.post(series("public.load", {"host": "a", "room": "secret"}, [float(index) for index in range(60)]))
    panels = [
        {"title": kind, "type": kind, "query": "public.load", "options": {"groupBy": ["host"] if kind == "line" else []}}
        for kind in ("line", "stat")
    ]
    return site.create("Public wall", panels)


def publish(site: Site, dashboard: dict[str, Any]) -> str:
    answer = site.api.post(f"/api/v1/dashboards/{dashboard['id']}/publish")
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["data"]["path"])


@pytest.fixture
async def stranger(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as client:
        yield client


async def test_a_link_is_one_until_it_is_ended(site: Site, dashboard: dict[str, Any], stranger: httpx.AsyncClient) -> None:
    address = f"/api/v1/dashboards/{dashboard['id']}/publish"
    path = publish(site, dashboard)
    assert publish(site, dashboard) == path
    assert site.api.get(address).json()["data"]["path"] == path
    assert (await stranger.get(path)).status_code == 200
    assert (await stranger.get(f"{path}/board")).status_code == 200
    assert site.api.delete(address).status_code == 204
    assert site.api.delete(address).status_code == site.api.get(address).status_code == 404
    until(lambda: httpx.get(f"{site.url}{path}/board").status_code == 404, "the link to lead nowhere", 5)
    assert (await stranger.get(path)).status_code == 404
    assert publish(site, dashboard) != path
    actions = [row["action"] for row in _audit(site)]
    assert {"dashboard.publish", "dashboard.unpublish"} <= set(actions)


def _audit(site: Site) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(site.postgres.url, row_factory=dict_row) as connection:
        return connection.execute("SELECT action FROM audit_log").fetchall()


async def test_all_get_the_same_picture_and_then_the_same_changes(
    site: Site, dashboard: dict[str, Any], stranger: httpx.AsyncClient
) -> None:
    path = publish(site, dashboard)
    pictures = {(await stranger.get(f"{path}/board")).content for _ in range(5)}
    assert len(pictures) == 1
    picture = orjson.loads(pictures.pop())
    text = orjson.dumps(picture).decode()
    for foreign in ("secret", "example.org", str(dashboard["ownerId"])):
        assert foreign not in text
    document = Document.from_json(picture["document"])
    site.post(series("public.load", {"host": "a", "room": "secret"}, [4711.0]))
    asked = {"board": picture["board"], "at": picture["at"]}

    async def changed() -> dict[str, Any]:
        return dict(orjson.loads((await stranger.get(f"{path}/board", params=asked)).content))

    async with asyncio.timeout(30):
        while not (told := await changed())["patches"]:
            await asyncio.sleep(0.2)
    assert "document" not in told
    for patch in told["patches"]:
        document.apply_json_patch(patch)
    root = document.get_model_by_id(picture["cards"])
    assert isinstance(root, Cards)
    cards = root.cards
    stat = next(card for card in cards if card.kind == "stat")
    assert max(stat.plot.renderers[0].data_source.data["v0"]) > 1000
    # Who shows another board, or nothing that is known, gets the whole.
    for odd in ({"board": 0, "at": 0}, {"board": picture["board"], "at": 10**9}, {"board": "x", "at": "-1"}, {"at": "٣"}):
        assert "document" in (await stranger.get(f"{path}/board", params=odd)).json()


async def test_a_link_opens_nothing_else(site: Site, dashboard: dict[str, Any], stranger: httpx.AsyncClient) -> None:
    path = publish(site, dashboard)
    token = path.removeprefix("/p/")
    for address in ("/", f"/d/{dashboard['id']}", "/alerts"):
        assert (await stranger.get(address, headers={"Authorization": f"Bearer {token}"})).status_code == 303
    for address in ("dashboards", f"dashboards/{dashboard['id']}", f"dashboards/{dashboard['id']}/snapshot"):
        assert (await stranger.get(f"/api/v1/{address}", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    # Other ranges than the picker's are the usual one: nobody makes the server read years.
    (root,) = (await stranger.get(f"{path}/board?from=1971-01-01&to=2100-01-01")).json()["document"]["roots"]
    start, end = root["attributes"]["range_ms"]
    assert end - start == 3_600_000
    for wrong in ("x", "a" * 32, "a" * 31, "%00" * 32, "é" * 32):
        assert (await stranger.get(f"/p/{wrong}/board")).status_code == 404
    refused = [(await stranger.get(f"/p/{'b' * 32}/board")).status_code for _ in range(40)]
    assert refused[-1] == 429, "tokens can't be tried out"
    assert (await stranger.get(f"{path}/board")).status_code == 200, "known links don't suffer from it"


async def test_the_page_is_live_without_an_account(site: Site, dashboard: dict[str, Any], anonymous: BrowserContext) -> None:
    site.post(series("public.load", {"host": "a", "room": "secret"}, [1.0]))
    page = await open_dashboard(anonymous, f"{site.url}{publish(site, dashboard)}")
    assert await page.evaluate("[...document.querySelectorAll('.panel')].map((panel) => panel.dataset.state)") == ["live", "live"]
    assert await page.locator("h1").inner_text() == "Public wall"
    assert await page.context.cookies() == [cookie for cookie in await page.context.cookies() if cookie["name"] == "dashapp_theme"]
    boxes = [await page.locator(f".panel >> nth={index}").bounding_box() for index in range(2)]
    assert all(box and box["width"] > 300 and box["height"] > 100 for box in boxes)
    site.post(series("public.load", {"host": "a", "room": "secret"}, [98765.0] * 3))
    # A bucket's average with what was there; nothing before was that large.
    stat = "[...window.dashapp.frames.shown.values()].find(({ card }) => card.kind === 'stat').card"
    column = f"(({{ data }}) => data.get ? data.get('v0') : data.v0)({stat}.plot.renderers[0].data_source)"
    await page.wait_for_function(f"{column}.some((value) => value > 5_000)", timeout=25_000)
    # Another theme is another board; the page asks for it at once.
    before = await page.evaluate("window.dashapp.frames.number")
    await page.locator('[data-action="theme"]').click()
    await page.wait_for_function(f"window.dashapp.frames.number !== {before}")
    # A change of the dashboard shows with the next answer.
    name = {"name": "Public wall, renamed"}
    assert site.api.put(f"/api/v1/dashboards/{dashboard['id']}", json=name).status_code == 200
    await page.locator('[data-action="theme"]').click()
    await expect(page.locator("h1")).to_have_text("Public wall, renamed", timeout=25_000)
    site.api.delete(f"/api/v1/dashboards/{dashboard['id']}/publish")
    until(lambda: httpx.get(f"{page.url}/board").status_code == 404, "the link to lead nowhere", 5)
    await page.locator('[data-action="theme"]').click()
    await expect(page.locator(".banner")).to_contain_text("leads nowhere", timeout=25_000)
    await page.close()


async def test_the_share_menu_makes_and_ends_the_link(
    site: Site, dashboard: dict[str, Any], signed_in: BrowserContext, stranger: httpx.AsyncClient
) -> None:
    site.api.delete(f"/api/v1/dashboards/{dashboard['id']}/publish")
    page = await open_dashboard(signed_in, f"{site.url}/d/{dashboard['id']}")
    await page.get_by_role("button", name="Share").click()
    await page.get_by_role("menuitem", name="Public link …").click()
    await page.get_by_role("button", name="Make a public link").click()
    link = await page.get_by_role("textbox", name="Public link").input_value()
    assert (await stranger.get(link)).status_code == 200
    await page.get_by_role("button", name="End it").click()
    await expect(page.get_by_role("button", name="Make a public link")).to_be_visible()
    until(lambda: httpx.get(link).status_code == 404, "the link to lead nowhere", 5)
    await page.close()
