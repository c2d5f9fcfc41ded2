"""Variables, and panels that are no plots, in a real browser."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.pages.conftest import Site, open_dashboard, series
from tests.pages.test_snapshot import inside

_PANELS = [
    {"title": "Load of $host", "type": "line", "query": "var.load", "options": {"tags": {"host": "$host"}, "groupBy": ["host"]},
     "position": {"x": 0, "y": 0, "w": 6, "h": 4}},
    {"title": "Now", "type": "table", "query": "var.load",
     "options": {"tags": {"host": "$host"}, "groupBy": ["host"], "unit": "percent", "thresholds": {"warning": 60, "critical": 90}},
     "position": {"x": 6, "y": 0, "w": 6, "h": 4}},
    {"title": "Read me", "type": "text",
     "options": {"content": "# On call\n\nAsk **Ada** about $host; see [the list](/).\n\n- <script>window.hit = 1</script>"},
     "position": {"x": 0, "y": 4, "w": 6, "h": 3}},
]  # fmt: skip
_HOST: dict[str, Any] = {"name": "host", "label": "Host", "metric": "var.load", "tag": "host", "multi": True}


@pytest.fixture(scope="module", autouse=True)
async def samples(site: Site) -> None:
    for at in range(12):
        site.post(series("var.load", {"host": f"web-{at:02}"}, [at * 8.0 + index % 3 for index in range(60)]))


def picker(page: Page, variable: str = "host") -> Any:
    return page.locator(f'[data-variable="{variable}"]')


async def rows(page: Page) -> list[str]:
    return await page.locator(".bars tbody td:first-child").all_text_contents()


async def test_what_is_chosen_is_shown_and_stands_in_the_link(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Variables", _PANELS, variables=[_HOST])
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off")
    title = page.locator(f'[data-panel-id="{board["panels"][0]["id"]}"] h2')
    await expect(title).to_have_text("Load of all")
    assert len(await rows(page)) == 12
    # By keyboard: the list opens with its search, arrows go down, Enter chooses and leaves it open for more.
    await picker(page).locator("button").focus()
    await page.keyboard.press("Enter")
    await expect(picker(page).locator("input")).to_be_focused()
    await page.keyboard.type("web-0")
    await expect(picker(page).locator("li:visible")).to_have_count(11)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(title).to_have_text("Load of web-00, web-01")
    assert sorted(await rows(page)) == ["web-00", "web-01"]
    await page.wait_for_function("location.search.includes('var-host=web-00&var-host=web-01')")
    await page.keyboard.press("Escape")
    await expect(picker(page).locator("button")).to_contain_text("web-00, web-01")
    assert await page.evaluate("document.activeElement === document.querySelector('[data-variable=host] button')")

    other = await open_dashboard(signed_in, page.url)
    assert sorted(await rows(other)) == ["web-00", "web-01"]
    await expect(picker(other).locator("button")).to_contain_text("web-00, web-01")
    await other.close()

    await page.go_back()
    await expect(title).to_have_text("Load of all")
    await expect(picker(page).locator("button")).to_contain_text("All")
    assert len(await rows(page)) == 12


async def test_settings_make_variables_and_open_pages_follow(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Made", _PANELS[:2])
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?edit=1&refresh=off")
    error = page.locator('[data-panel-type="table"] .panel-message')
    await expect(error).to_contain_text("$host is no variable of this dashboard")
    await page.locator(".edit-bar button", has_text="Settings").click()
    await page.locator(".variable-list .add").click()
    await page.keyboard.type("ho st")
    await page.locator('[data-action="save-settings"]').click()
    await expect(page.locator("dialog .wrong[role=alert]")).to_contain_text("is no variable's name")
    await page.locator('.variable-list [data-field="name"] input').fill("host")
    await page.locator('.variable-list [data-field="metric"] input').fill("var.load")
    await page.keyboard.press("Escape")
    await page.locator('.variable-list [data-field="tag"] input').fill("host")
    await page.keyboard.press("Escape")
    await page.locator('[data-action="save-settings"]').click()
    await expect(error).to_be_hidden()
    await expect(picker(page).locator("button")).to_contain_text("All")
    stored = site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]["variables"]
    assert [(one["name"], one["metric"], one["tag"], one["multi"]) for one in stored] == [("host", "var.load", "host", False)]
    await picker(page).locator("button").click()
    await picker(page).locator("li", has_text="web-03").click()
    await expect(page.locator("h2", has_text="Load of web-03")).to_be_visible()
    await expect(picker(page).locator("ul")).to_be_hidden()


async def test_a_default_is_shown_everywhere_until_something_is_chosen(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Defaults", _PANELS[:2], variables=[_HOST | {"default": ["web-04", "web-05"]}])
    address = f"{site.url}/d/{board['id']}?refresh=off"
    link = site.url + site.api.post(f"/api/v1/dashboards/{board['id']}/publish").json()["data"]["path"]
    page, public = await open_dashboard(signed_in, address), await open_dashboard(signed_in, link)
    for one in (page, public):
        await expect(one.locator("h2", has_text="Load of web-04, web-05")).to_be_visible()
    await expect(picker(page).locator("button")).to_contain_text("web-04, web-05")
    # All stands in the link as such, because nothing said is the default.
    await picker(page).locator("button").click()
    await picker(page).locator("li[data-all]").click()
    await expect(page.locator("h2", has_text="Load of all")).to_be_visible()
    await page.wait_for_function("location.search.includes('var-host=%24__all')")
    other = await open_dashboard(signed_in, page.url)
    await expect(other.locator("h2", has_text="Load of all")).to_be_visible()
    await expect(picker(other).locator("button")).to_contain_text("All")
    await other.close()
    await page.go_back()
    await expect(page.locator("h2", has_text="Load of web-04, web-05")).to_be_visible()
    # The settings change it, and who chose nothing follows.
    await page.keyboard.press("e")
    await page.locator(".edit-bar button", has_text="Settings").click()
    field = page.locator('.variable-list [data-field="default"] textarea')
    await expect(field).to_have_value("web-04\nweb-05")
    await field.fill("web-06")
    await page.locator('[data-action="save-settings"]').click()
    for one in (page, public):
        await expect(one.locator("h2", has_text="Load of web-06")).to_be_visible(timeout=30_000)
    await expect(picker(page).locator("button")).to_contain_text("web-06")


async def test_defaults_are_lines_whatever_stands_in_them(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Commas", [_PANELS[0]], variables=[{"name": "rack", "values": ["a, b", "c"]}])
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off&edit=1")
    await page.locator(".edit-bar button", has_text="Settings").click()
    variable, saved = page.locator(".variable-list"), page.locator('[data-action="save-settings"]')
    await variable.locator('[data-field="default"] textarea').fill("a, b\nc")
    await saved.click()
    await expect(page.get_by_text("shows one value first, or several where several can be chosen")).to_be_visible()
    # In whatever order: several can be chosen from now on, and so can several be the default.
    await variable.get_by_label("Several at once").check()
    await saved.click()
    await expect(picker(page, "rack").locator("button")).to_contain_text("a, b, c")
    (stored,) = site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]["variables"]
    assert (stored["multi"], stored["default"]) == (True, ["a, b", "c"])


async def test_tables_sort_and_words_are_harmless(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Rows", _PANELS, variables=[_HOST])
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off&var-host=web-11&var-host=web-02")
    assert await rows(page) == ["web-11", "web-02"]
    heads = page.locator(".bars th")
    await expect(heads).to_have_text(["series", "last", "avg", "max"])
    await heads.nth(1).locator("button").click()
    assert await rows(page) == ["web-02", "web-11"]
    await expect(heads.nth(1)).to_have_attribute("aria-sort", "ascending")
    await heads.nth(0).locator("button").click()
    assert await rows(page) == ["web-02", "web-11"]
    await expect(page.locator(".barred").nth(1)).to_have_attribute("data-level", "critical")
    words = page.locator(".words")
    await expect(words.locator("h1")).to_have_text("On call")
    await expect(words.locator("p")).to_contain_text("Ask Ada about web-02, web-11")
    await expect(words.locator("li")).to_have_text("<script>window.hit = 1</script>")
    assert await page.evaluate("window.hit") is None


async def test_a_list_of_alerts_follows_and_is_for_readers_with_an_account(signed_in: BrowserContext, site: Site) -> None:
    fields = {"query": "var.load", "condition": "gt", "threshold": -1, "groupBy": ["host"], "severity": "critical"}
    rule = site.api.post("/api/v1/alerts", json={"name": "Var busy <b>", **fields}).json()["data"]
    panel = {"title": "What fires", "type": "alerts", "options": {"matching": "busy", "tags": {"host": "web-02"}}}
    board = site.create("Alarmed", [panel])
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=1s")
    item = page.locator(".alert-list li")
    await expect(item).to_have_count(1, timeout=30_000)
    await expect(item.locator(".state")).to_have_text("firing")
    await expect(item.locator("small")).to_have_text("host=web-02")
    await expect(item.locator("a")).to_have_text("Var busy <b>")
    link = site.api.post(f"/api/v1/dashboards/{board['id']}/publish").json()["data"]["path"]
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as reader:
        outside = (await reader.get(f"{link}/board", params={"from": "now-1h", "theme": "dark"})).text
    snapshot = inside(site.api.get(f"/api/v1/dashboards/{board['id']}/snapshot").content)
    for told in (outside, snapshot):
        assert "for readers with an account" in told
        assert "Var busy" not in told
    await item.locator("a").click()
    await page.wait_for_url(f"**/alerts/{rule['id']}")
    assert site.api.delete(f"/api/v1/alerts/{rule['id']}").status_code == 204


async def test_a_heat_map_is_drawn_says_its_counts_and_gives_its_data(signed_in: BrowserContext, site: Site) -> None:
    panel = {"title": "Spread", "type": "heatmap", "query": "var.load", "options": {"groupBy": ["host"], "unit": "percent"}}
    board = site.create("Spread", [panel, *_PANELS[1:2]], variables=[_HOST])
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off&from=now-15m")
    one = page.locator('[data-panel-type="heatmap"]')
    await expect(one).to_have_attribute("data-state", "live")
    box = await one.locator(".plot").bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] - 40, box["y"] + box["height"] / 2)
    await expect(page.locator(".hover b").first).to_contain_text("series")
    await one.locator(".panel-menu").click()
    await page.locator('.menu [data-entry="data"]').click()
    await expect(page.locator("dialog .data th")).to_have_count(21)
    # All rows of a table have their bars, also every second.
    bars = "[...document.querySelectorAll('.barred')].map((cell) => getComputedStyle(cell).backgroundImage)"
    assert all(image.startswith("linear-gradient") for image in await page.evaluate(bars))
