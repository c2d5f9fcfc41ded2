"""The time range of a dashboard's page: zoomed, shifted, typed, and always in the link."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import BrowserContext, Page, expect

from tests.pages.conftest import Site, open_dashboard

_BOUNDS = "(id) => { const { start, end } = dashapp.frames.plot(id).x_range; return [start, end]; }"


async def _opened(context: BrowserContext, site: Site, twelve: dict[str, Any], query: str = "") -> tuple[Page, str]:
    page = await open_dashboard(context, f"{site.url}/d/{twelve['id']}?refresh=10s{query}")
    line = next(panel["id"] for panel in twelve["panels"] if panel["type"] == "line")
    await page.locator(f'[data-panel-id="{line}"]').scroll_into_view_if_needed()
    return page, line


def _asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


async def _shows(page: Page, panel: str, span_ms: float, *, within: float = 0.03) -> None:
    await page.wait_for_function(
        f"([id, span]) => {{ const [a, b] = ({_BOUNDS})(id); return Math.abs(b - a - span) < span * {within}; }}",
        arg=[panel, span_ms],
    )


async def test_dragging_over_a_plot_zooms_all_and_back_returns(
    signed_in: BrowserContext, site: Site, twelve: dict[str, Any]
) -> None:
    page, line = await _opened(signed_in, site, twelve)
    other = [panel["id"] for panel in twelve["panels"] if panel["type"] == "area"][-1]
    box = await page.locator(f'[data-panel-id="{line}"] .plot').bounding_box()
    assert box
    inner = await page.evaluate(
        "(id) => { const { left, right } = dashapp.frames.view(id).frame.bbox; return [left, right]; }", line
    )
    width = inner[1] - inner[0]
    y = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + inner[0] + width / 4, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + inner[0] + width / 2, y, steps=4)
    await expect(page.locator(".zoom")).to_be_visible()
    await page.mouse.up()
    await _shows(page, line, 3_600_000 / 4)
    await _shows(page, other, 3_600_000 / 4)
    assert _asked(page)["from"].endswith("Z")
    await expect(page.locator('[data-picker="range"] [data-label]')).to_contain_text("–")
    await page.go_back()
    await _shows(page, line, 3_600_000)
    assert "from" not in _asked(page) or _asked(page)["from"] == "now-1h"


async def test_moving_in_time_by_key_and_by_button(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page, line = await _opened(signed_in, site, twelve)
    before = await page.evaluate(_BOUNDS, line)
    await page.keyboard.press("[")
    await page.wait_for_function(f"([id, end]) => ({_BOUNDS})(id)[1] < end - 1700000", arg=[line, before[1]])
    await page.get_by_role("button", name="Later", exact=True).click()
    await page.wait_for_function(f"([id, end]) => ({_BOUNDS})(id)[1] >= end - 5000", arg=[line, before[1]])
    assert _asked(page)["to"] == "now"
    await page.keyboard.press("-")
    await _shows(page, line, 2 * 3_600_000)


async def test_a_range_is_typed_and_times_are_written_in_utc(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page, line = await _opened(signed_in, site, twelve)
    await page.keyboard.press("t")
    form = page.locator(".own-range")
    await form.get_by_label("Times in").select_option("utc")
    await form.get_by_label("From").fill("2026-11-24 18:00")
    await form.get_by_label("To").fill("sometime")
    await form.get_by_role("button", name="Show").click()
    await expect(form.locator(".wrong")).to_contain_text("now-6h")
    await form.get_by_label("To").fill("2026-11-24 20:30")
    await form.get_by_role("button", name="Show").click()
    await _shows(page, line, 2.5 * 3_600_000)
    asked = _asked(page)
    assert (asked["from"], asked["to"], asked["tz"]) == ("2026-11-24T18:00:00Z", "2026-11-24T20:30:00Z", "utc")
    await expect(page.locator('[data-picker="range"] [data-label]')).to_contain_text("18:00")
    await expect(page.locator('[data-picker="range"] [data-label]')).to_contain_text("UTC")


async def test_keys_are_listed_and_full_screen_follows_the_pointer(
    signed_in: BrowserContext, site: Site, twelve: dict[str, Any]
) -> None:
    page, line = await _opened(signed_in, site, twelve)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Choose the time range")
    await page.keyboard.press("Escape")
    panel = page.locator(f'[data-panel-id="{line}"]')
    await panel.hover()
    await page.keyboard.press("f")
    await expect(panel).to_have_class(re.compile("full"))
    await page.keyboard.press("Escape")
    await expect(panel).not_to_have_class(re.compile("full"))
