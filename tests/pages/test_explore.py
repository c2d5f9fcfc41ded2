"""`/explore` in a real browser: asked, zoomed down to samples, kept in the link, taken to a dashboard and to Python."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import BrowserContext, Page, expect

import dashapp
from tests.pages.conftest import Site, open_dashboard, series, sign_in
from tests.running import until

_PANEL = "00000000-0000-0000-0000-000000000000"
_SOURCE = f"""() => {{
  const {{ data }} = dashapp.frames.plot('{_PANEL}').renderers[0].data_source;
  const columns = Object.fromEntries(data instanceof Map ? data : Object.entries(data));
  return {{ times: [...columns.t], values: [...columns.v0], names: dashapp.frames.card('{_PANEL}').names }};
}}"""


@pytest.fixture(scope="module", autouse=True)
async def samples(site: Site) -> None:
    for host, level in (("a", 20.0), ("b", 60.0)):
        site.post(series("explore.load", {"host": host}, [level + index % 7 for index in range(720)], step_s=30))
    site.post(series("explore.other", {}, [5.0] * 60))
    described = {"unit": "percent", "description": "How busy the hosts are."}
    assert site.api.put("/api/v1/metrics/explore.load", json=described).status_code == 200


async def opened(context: BrowserContext, site: Site, query: str = "") -> Page:
    return await open_dashboard(context, f"{site.url}/explore{query}")


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def shows(page: Page, *names: str) -> None:
    await page.wait_for_function(f"(names) => JSON.stringify(dashapp.frames.card('{_PANEL}')?.names) === JSON.stringify(names)",
                                 arg=list(names))  # fmt: skip


async def drag(page: Page, low: float, high: float) -> None:
    """Over the plot, from one share of its width to another."""
    box = await page.locator("[data-panel-id] .plot").bounding_box()
    assert box
    left, right = await page.evaluate(
        f"() => {{ const {{ left, right }} = dashapp.frames.view('{_PANEL}').frame.bbox; return [left, right]; }}"
    )
    at = [box["x"] + left + (right - left) * share for share in (low, high)]
    y = box["y"] + box["height"] / 2
    await page.mouse.move(at[0], y)
    await page.mouse.down()
    await page.mouse.move(at[1], y, steps=4)
    await page.mouse.up()


async def test_from_nothing_to_a_plot_whose_link_shows_it_again(signed_in: BrowserContext, site: Site) -> None:
    page = await opened(signed_in, site)
    await expect(page.locator(".panel-message")).to_contain_text("Choose a metric")
    await expect(page.get_by_role("button", name="Add to dashboard")).to_be_disabled()
    await page.get_by_role("searchbox", name="Search metrics").fill("explore.l")
    row = page.locator(".catalog tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("How busy the hosts are.")
    await row.get_by_role("button").click()
    await shows(page, "explore.load")
    await expect(page.locator('[data-field="options.unit"] select')).to_have_value("percent")
    await page.locator('[data-field="options.groupBy"]').get_by_text("host").click()
    await shows(page, "a", "b")
    await page.get_by_role("radio", name="Area").check()
    await page.wait_for_function(f"() => dashapp.frames.card('{_PANEL}').kind === 'area'")
    await page.get_by_role("button", name="+ Add a query to this plot").click()
    second = page.locator(".query").nth(1).get_by_role("combobox", name="Metric")
    await second.fill("explore.other")
    await page.locator('.query >> nth=1 >> [data-field="options.queries.0.groupBy"]').wait_for()
    await shows(page, "explore.load a", "explore.load b", "explore.other")
    link = asked(page)
    wanted = {"query": "explore.load", "query.2": "explore.other", "groupBy": "host", "type": "area", "unit": "percent"}
    assert link == {name: [value] for name, value in wanted.items()}
    again = await opened(signed_in, site, f"?{urlsplit(page.url).query}")
    await shows(again, "explore.load a", "explore.load b", "explore.other")
    # Another metric is a step in the browser's history.
    await page.go_back()
    await expect(page.locator(".panel-message")).to_contain_text("Choose a metric")


async def test_zooming_asks_at_a_finer_step_until_samples_show(signed_in: BrowserContext, site: Site) -> None:
    page = await opened(signed_in, site, "?query=explore.load&groupBy=host&from=now-6h")
    answers = page.locator(".answers")
    await expect(answers).to_contain_text("Step 1m · resolution 1m")
    await drag(page, 0.8, 0.95)
    await expect(answers).to_contain_text("raw samples")
    await expect(answers).to_contain_text("metrics_raw")
    assert asked(page)["from"][0].endswith("Z")
    await drag(page, 0.3, 0.7)
    # Every sample is a dot.
    await page.wait_for_function(
        f"() => dashapp.frames.plot('{_PANEL}').renderers.filter((one) => one.glyph.type === 'Scatter').length === 2"
    )
    await page.go_back()
    await page.go_back()
    await expect(answers).to_contain_text("Step 1m")
    assert asked(page)["from"] == ["now-6h"]


async def test_each_series_of_the_holoviews_plot_is_hovered_tabled_and_hidden(signed_in: BrowserContext, site: Site) -> None:
    page = await opened(signed_in, site, "?query=explore.load&groupBy=host&from=now-1h")
    await shows(page, "a", "b")
    # A source for each line and each series of dots, as HoloViews has it.
    sources = "new Set(dashapp.frames.plot(id).renderers.map((one) => one.data_source)).size"
    assert await page.evaluate(f"(id) => [dashapp.frames.plot(id).type, {sources}]", _PANEL) == ["Figure", 4]
    plot = page.locator("[data-panel-id] .plot")
    await plot.hover()
    await expect(page.locator(".hover div")).to_have_count(2)
    values = [float(text) for text in await page.locator(".hover b").all_inner_texts()]
    assert 20 <= values[0] < 27 <= 60 <= values[1] < 67
    await page.locator(".legend tbody tr").nth(1).click()
    await plot.hover()
    await expect(page.locator(".hover div")).to_have_count(1)
    await page.locator(".panel").hover()
    await page.locator(".panel-menu").click()
    await page.get_by_role("menuitem", name="Show data").click()
    table = page.get_by_role("dialog").locator("table")
    await expect(table.locator("th")).to_have_text(["time", "a", "b"])
    _, a, b = await table.locator("tbody tr").nth(5).locator("td").all_inner_texts()
    assert 20 <= float(a) < 27
    assert 60 <= float(b) < 67


async def test_what_comes_in_shows_without_asking(signed_in: BrowserContext, site: Site) -> None:
    await signed_in.add_init_script("const every = setInterval; window.setInterval = (run, ms) => every(run, ms / 20);")
    page = await opened(signed_in, site, "?query=explore.fresh&from=now-15m")
    await expect(page.locator(".panel-message")).to_contain_text("none was ever sent")
    site.post([{"name": "explore.fresh", "value": 7}])
    await shows(page, "explore.fresh")


async def test_what_is_wrong_stands_at_its_field_and_leaves_the_plot(signed_in: BrowserContext, site: Site) -> None:
    page = await opened(signed_in, site, "?query=explore.load")
    await page.get_by_label("Bucket width").fill("soon")
    await expect(page.locator('[data-field="options.step"] .wrong')).to_be_visible()
    await shows(page, "explore.load")
    await page.get_by_label("Bucket width").fill("5m")
    await expect(page.locator(".answers")).to_contain_text("Step 5m")
    await expect(page.locator('[data-field="options.step"] .wrong')).to_be_hidden()


async def test_the_notebook_line_gives_the_same_numbers(signed_in: BrowserContext, site: Site, monkeypatch: Any) -> None:
    pytest.importorskip("pandas")
    await signed_in.grant_permissions(["clipboard-read", "clipboard-write"])
    # Ends before now, so that both see the same.
    first = await opened(signed_in, site, "?query=explore.load&tags=host%3Da&groupBy=host&aggregation=max&from=now-3h&to=now-1h")
    await first.get_by_role("button", name="Copy as Python").click()
    await expect(first.locator(".toast")).to_contain_text("Copied")
    line = await first.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        r'import dashapp\n\ndashapp\.connect\(\)\.query\("explore\.load", start="now-3h", end="now-1h", by="host", step="\w+", '
        r'tags=\{"host": "a"\}, aggregation="max"\)\n', line,
    )  # fmt: skip
    token = site.api.post("/api/v1/auth/tokens", json={"name": "notebook", "scope": "read"}).json()["data"]["token"]
    monkeypatch.setenv("DASHAPP_URL", site.url)
    monkeypatch.setenv("DASHAPP_TOKEN", token)
    table = eval(line.splitlines()[-1], {"dashapp": dashapp})
    drawn = await first.evaluate(_SOURCE)
    assert drawn["names"] == list(table.columns) == ["a"]
    ours = dict(zip((table.index.astype("int64") // 10**6).tolist() if str(table.index.dtype).startswith("datetime64[ns") else
                    table.index.as_unit("ms").astype("int64").tolist(), table["a"].tolist(), strict=True))  # fmt: skip
    shared = [(time, value) for time, value in zip(drawn["times"], drawn["values"], strict=True) if time in ours]
    assert len(shared) > 100
    assert all(ours[time] == value for time, value in shared)


async def test_a_plot_goes_to_a_dashboard_and_a_panel_comes_back(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Mine to explore", [])
    page = await opened(signed_in, site, "?query=explore.load&groupBy=host&unit=percent")
    await page.get_by_role("button", name="Add to dashboard").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator("[name=which]").select_option(board["id"])
    await dialog.get_by_label("Title of the panel").fill("Hosts")
    await dialog.get_by_role("button", name="Add").click()
    await page.locator(".toast").get_by_role("button", name="Open it").click()
    await page.wait_for_url(re.compile(board["id"]))
    panel = page.locator("[data-panel-id]")
    await expect(panel).to_have_attribute("data-state", "live")
    stored = site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]["panels"]
    assert [(one["title"], one["query"], one["options"]["groupBy"]) for one in stored] == [("Hosts", "explore.load", ["host"])]
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    await panel.hover()
    await panel.locator(".panel-menu").click()
    await page.get_by_role("menuitem", name="Explore").click()
    await page.wait_for_url(re.compile("/explore"))
    await shows(page, "a", "b")
    assert asked(page)["unit"] == ["percent"]


async def test_a_plot_goes_to_a_new_dashboard(signed_in: BrowserContext, site: Site) -> None:
    page = await opened(signed_in, site, "?query=explore.load")
    await page.get_by_role("button", name="Add to dashboard").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator("[name=which]").select_option("")
    await dialog.get_by_label("Name of the dashboard").fill("From explore")
    await dialog.get_by_role("button", name="Add").click()
    await expect(page.locator(".toast")).to_contain_text("From explore")
    names = lambda: [one["name"] for one in site.api.get("/api/v1/dashboards?pageSize=200").json()["data"]]  # noqa: E731
    until(lambda: "From explore" in names(), "the new dashboard")


async def test_a_viewer_explores_but_makes_nothing(anonymous: BrowserContext, site: Site) -> None:
    await sign_in(anonymous, site.url, "viewer@example.org")
    page = await opened(anonymous, site, "?query=explore.load")
    await shows(page, "explore.load")
    await expect(page.get_by_role("button", name="Add to dashboard")).to_have_count(0)
    refused = await anonymous.request.post(f"{site.url}/explore/picture", data={}, headers={"Origin": "https://elsewhere.test"})
    assert refused.status == 403
    bad = {"panel": {"type": "line", "query": "no name", "title": "x"}}
    wrong = await anonymous.request.post(f"{site.url}/explore/picture", data=bad, headers={"Origin": site.url})
    assert wrong.status == 400
    assert "panel.query" in (await wrong.json())["details"]
