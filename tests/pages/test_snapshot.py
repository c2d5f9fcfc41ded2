"""A dashboard as a file: opened from disk without a network, it shows what the served page shows."""

from __future__ import annotations

import gzip
import io
import re
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, expect

from dashapp.contract.timerange import from_ms
from tests.pages.conftest import Site, open_dashboard, series

#: What each panel shows: its numbers to the last bit, its words, its range.
SHOWN = """() => Object.fromEntries([...window.dashapp.frames.shown].map(([id, { card, panel }]) => [id, {
  title: card.title, state: panel.dataset.state, headline: panel.querySelector('.headline').textContent,
  legend: panel.querySelector('.legend').innerText, range: [card.plot.x_range.start, card.plot.x_range.end],
  y: [card.plot.y_range.start, card.plot.y_range.end],
  columns: card.plot.renderers.map(({ data_source: { data } }) =>
    [...(data instanceof Map ? data : Object.entries(data))].map(([name, column]) => [name, [...column].map(String)])),
}]))"""


def fixed_range(hours: float = 0.5) -> dict[str, str]:
    """A range that has ended, so that two pages that are opened one after the other show the same."""
    end = time.time_ns() // 60_000_000_000 * 60_000
    return {"from": from_ms(end - int(hours * 3_600_000)).isoformat(), "to": from_ms(end).isoformat()}


def make(site: Site, dashboard: dict[str, Any], **shown: str) -> bytes:
    answer = site.api.get(f"/api/v1/dashboards/{dashboard['id']}/snapshot", params=shown)
    assert answer.status_code == 200, answer.text
    assert re.fullmatch(r'attachment; filename="[\w-]+\.html"', answer.headers["content-disposition"])
    return answer.content


def inside(content: bytes) -> str:
    """All that the file says, also what is packed, without BokehJS and the scripts."""
    text = content.decode()
    drawing = re.search(r'<script type="application/gzip" id="drawing">([^<]*)</script>', text)
    assert drawing
    for element in ("importmap", "application/gzip"):
        text = re.sub(rf'<script type="{element}"[^>]*>.*?</script>', "", text, flags=re.DOTALL)
    return text + gzip.decompress(b64decode(drawing[1])).decode()


@pytest.fixture
async def offline(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A browser without a network, that knows nobody."""
    context = await chromium.new_context(viewport={"width": 1400, "height": 900}, offline=True)
    yield context
    await context.close()


async def open_file(context: BrowserContext, path: Path, content: bytes) -> tuple[Page, list[str]]:
    """The file, drawn, and a list of what it asks for and what goes wrong, now and later."""
    path.write_bytes(content)
    page, said = await context.new_page(), []  # type: ignore[var-annotated]
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith(("data:", "blob:")) else None)
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(path.as_uri())
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    assert said.pop(0) == path.as_uri()
    return page, said


async def _picture(page: Page, panel: str) -> np.ndarray[Any, Any]:
    shot = await page.locator(f'[data-panel-id="{panel}"]').screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), np.int16)


async def test_offline_from_disk_it_shows_what_the_page_shows(
    site: Site, twelve: dict[str, Any], signed_in: BrowserContext, offline: BrowserContext, tmp_path: Path
) -> None:
    shown = fixed_range()
    content = make(site, twelve, **shown)
    assert len(content) < 2_000_000
    query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in shown.items())
    served = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}?{query}&kiosk=1")
    page, said = await open_file(offline, tmp_path / "report.html", content)
    for one in (served, page):
        await one.evaluate("document.documentElement.dataset.theme = 'dark'; window.dashapp.frames.repaint()")
    wanted = await served.evaluate(SHOWN)
    assert len(wanted) == 12
    assert {panel["state"] for panel in wanted.values()} == {"live"}
    assert await page.evaluate(SHOWN) == wanted
    assert await page.locator('[data-role="cannot"]').count() == 0
    for panel in wanted:
        ours, theirs = await _picture(page, panel), await _picture(served, panel)
        # A panel's edge may lie between two pixels.
        height, width = min(ours.shape[0], theirs.shape[0]), min(ours.shape[1], theirs.shape[1])
        assert max(ours.shape[0] - height, theirs.shape[0] - height, ours.shape[1] - width, theirs.shape[1] - width) <= 1
        difference = np.abs(ours[:height, :width] - theirs[:height, :width]).mean()
        assert difference < 3.0, (wanted[panel]["title"], difference)
    assert said == []


async def test_it_is_alive_without_a_server(
    site: Site, twelve: dict[str, Any], offline: BrowserContext, tmp_path: Path
) -> None:  # fmt: skip
    page, said = await open_file(offline, tmp_path / "alive.html", make(site, twelve, **fixed_range()))
    panels = {panel["title"]: panel["id"] for panel in twelve["panels"]}
    line = page.locator(f'[data-panel-id="{panels["Panel 5"]}"]')
    # Both themes: what the style sheet paints, and what glyphs hold.
    gauge = f"window.dashapp.frames.plot('{panels['Panel 3']}').renderers[0].glyph.fill_color.value"
    colors = {}
    for _ in range(3):
        theme = await page.evaluate("document.documentElement.dataset.theme")
        colors.setdefault(theme, set()).add(await page.evaluate(gauge))
        await page.locator('[data-action="theme"]').click()
    assert colors == {"dark": {"#1e242d"}, "light": {"#e2e5ea"}}
    # Values under the pointer.
    box = await line.locator(".plot").bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    await expect(page.locator(".hover")).to_be_visible()
    assert await page.locator(".hover div").count() > 0
    assert await page.locator(".crosshair:visible").count() == 8
    # Series hidden by the legend.
    visible = f"window.dashapp.frames.plot('{panels['Panel 5']}').renderers.map((renderer) => renderer.visible)"
    assert await page.evaluate(visible) == [True, True, True]
    await line.locator(".legend tbody tr").nth(1).click()
    assert await page.evaluate(visible) == [True, False, True]
    # Its data, from the file.
    await line.hover()
    await line.locator(".panel-menu").click()
    assert await page.locator(".menu [role=menuitem]").all_inner_texts() == [
        "Full screen", "Show data", "Download data (CSV)", "Download picture (PNG)",
    ]  # fmt: skip
    async with page.expect_download() as download:
        await page.get_by_role("menuitem", name="Download data (CSV)").click()
    path = tmp_path / "panel.csv"
    await (await download.value).save_as(path)
    lines = path.read_text().splitlines()
    assert lines[0] == "time,a,b,c"
    assert len(lines) > 100
    assert await page.locator("header h1").inner_text() == "Twelve"
    assert " – " in await page.locator('[data-role="range"]').inner_text()
    assert said == []


async def test_drag_zooms_and_two_presses_show_all_again(
    site: Site, twelve: dict[str, Any], offline: BrowserContext, tmp_path: Path
) -> None:  # fmt: skip
    page, said = await open_file(offline, tmp_path / "zoom.html", make(site, twelve, **fixed_range()))
    panel = next(panel["id"] for panel in twelve["panels"] if panel["title"] == "Panel 5")
    bounds = f"(() => {{ const range = window.dashapp.frames.plot('{panel}').x_range; return [range.start, range.end]; }})()"
    whole = await page.evaluate(bounds)
    box = await page.locator(f'[data-panel-id="{panel}"] .plot').bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 100, y, steps=4)
    await page.mouse.up()
    start, end = await page.evaluate(bounds)
    assert whole[0] < start < end < whole[1]
    assert end - start < (whole[1] - whole[0]) / 3
    await page.mouse.dblclick(x, y)
    assert await page.evaluate(bounds) == whole
    assert said == []


async def test_nothing_is_inside_that_the_dashboard_does_not_show(site: Site) -> None:
    for host, room in (("visible-1", "secret-room"), ("visible-2", "secret-room"), ("secret-host", "secret-room")):
        site.post(series("quiet.load", {"host": host, "room": room, "kind": "shown" if "visible" in host else "other"}, [1.0] * 30))
    options = {"groupBy": ["host"], "tags": {"kind": "shown"}}
    panels = [
        {"title": "Only <b>these</b> </script>", "type": kind, "query": "quiet.load", "options": options}
        for kind in ("line", "bar")
    ]
    dashboard = site.create("Quiet </title> & <i>loud", panels)
    answer = site.api.post("/api/v1/auth/tokens", json={"name": "snapshots", "scope": "read"})
    token = answer.json()["data"]["token"]
    made = site.api.get(f"/api/v1/dashboards/{dashboard['id']}/snapshot", headers={"Authorization": f"Bearer {token}"})
    text = inside(made.content)
    assert "visible-1" in text
    assert "visible-2" in text
    for foreign in ("secret", "example.org", token, site.api.cookies["dashapp_session"], "Bearer", str(site.url)):
        assert foreign not in text, foreign
    assert not re.search(r"<i>loud|<b>these", made.text), "names are text"
    assert not re.search(r"(src|href)\s*=", re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)), "nothing is linked"


async def test_what_fails_is_said_in_its_own_panel(
    site: Site, offline: BrowserContext, tmp_path: Path
) -> None:  # fmt: skip
    site.post(series("half.load", {}, [1.0] * 30))
    panels = [{"title": title, "type": "line", "query": query} for title, query in (("Full", "half.load"), ("Empty", "never.sent"))]
    page, said = await open_file(offline, tmp_path / "half.html", make(site, site.create("Half", panels)))
    states = await page.evaluate("[...document.querySelectorAll('.panel')].map((panel) => panel.dataset.state)")
    assert states == ["live", "empty"]
    await expect(page.locator(".panel-message").nth(1)).to_contain_text("No samples of never.sent in this range")
    assert await page.get_by_role("button", name="Retry").count() == 0
    assert said == []


async def test_the_share_menu_gives_the_file(
    site: Site, twelve: dict[str, Any], signed_in: BrowserContext, tmp_path: Path
) -> None:  # fmt: skip
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}?from=now-15m")
    await page.get_by_role("button", name="Share").click()
    async with page.expect_download() as download:
        await page.get_by_role("menuitem", name="Download as file").click()
    given = await download.value
    assert re.fullmatch(r"twelve-\d{4}-\d\d-\d\d-\d{4}\.html", given.suggested_filename)
    await given.save_as(tmp_path / "shared.html")
    assert "Twelve" in (tmp_path / "shared.html").read_text()
    await page.close()
