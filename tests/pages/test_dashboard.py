"""The dashboard page in a real browser."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, Request, expect

from tests.pages.conftest import Site, open_dashboard, series, sign_in
from tests.running import until

#: Marks every canvas, and tells how many marked ones are still there.
_MARK = """() => { const found = []; const walk = (root) => { for (const el of root.querySelectorAll('*')) {
  if (el.tagName === 'CANVAS') found.push(el); if (el.shadowRoot) walk(el.shadowRoot); } }; walk(document);
  for (const canvas of found) canvas.dashappMark = true; return found.length; }"""
_COUNT = _MARK.replace("for (const canvas of found) canvas.dashappMark = true; return found.length;",
                       "return [found.filter((c) => c.dashappMark).length, found.length];")  # fmt: skip
#: Pixels of a panel's canvases that aren't transparent.
_INK = """(id) => { let ink = 0; const walk = (root) => { for (const el of root.querySelectorAll('*')) {
  if (el.tagName === 'CANVAS' && el.width && el.height) { const d = el.getContext('2d')
      .getImageData(0, 0, el.width, el.height).data;
    for (let i = 3; i < d.length; i += 4) if (d[i]) ink++; }
  if (el.shadowRoot) walk(el.shadowRoot); } };
  walk(document.querySelector(`[data-panel-id="${id}"]`)); return ink; }"""
_TIMES = "(id) => Array.from(dashapp.frames.plot(id).renderers[0].data_source.data.t)"


def frame(page: Page, panel: dict[str, Any]) -> Any:
    return page.locator(f'[data-panel-id="{panel["id"]}"]')


async def test_twelve_panels_are_drawn_and_no_request_leaves_the_machine(
    signed_in: BrowserContext, site: Site, twelve: dict[str, Any]
) -> None:
    asked: list[Request] = []
    signed_in.on("request", lambda request: asked.append(request))
    problems: list[str] = []
    page = await signed_in.new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(f"{site.url}/d/{twelve['id']}")
    await expect(page.locator('[data-panel-id][data-state="live"]')).to_have_count(12)
    for panel in twelve["panels"]:
        assert await page.evaluate(_INK, panel["id"]) > 300, f"{panel['title']} has an empty canvas"
    assert {urlsplit(request.url).netloc for request in asked if not request.url.startswith(("data:", "blob:"))} == {
        urlsplit(site.url).netloc
    }
    assert problems == []


async def test_plots_built_together_are_as_bokeh_builds_each(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}?refresh=off&from=now-1h")
    compared = await page.evaluate("""async () => {
      const found = [];
      for (const [id, { view, host }] of dashapp.frames.shown) {
        if (!view) continue;
        const { width, height } = host.getBoundingClientRect();
        const place = Object.assign(document.createElement("div"), { className: "plot" });
        Object.assign(place.style, { position: "fixed", inset: "0 auto auto 0", width: `${width}px`, height: `${height}px` });
        document.body.append(place);
        const own = await dashapp.frames.doc.views_manager.build_view(view.model);
        own.build(place);
        await own.ready;
        await new Promise(requestAnimationFrame);
        const picture = (one) => one.canvas_view.primary.canvas.toDataURL();
        const box = ({ frame: { bbox } }) => [bbox.left, bbox.top, bbox.width, bbox.height].join();
        const names = [
          "paint", "update_bbox", "invalidate_layout", "offsetParent", "getBoundingClientRect", "_tick_label_extents",
        ];
        const held = [view, view.canvas_view, view.el, view.canvas_view.el, ...view.renderer_views.values()]
          .flatMap((one) => names.filter((name) => Object.hasOwn(one, name)));
        found.push([id, box(view) === box(own), picture(view) === picture(own), view.has_finished(), held.join()]);
        own.remove();
        place.remove();
      }
      return found;
    }""")
    assert len(compared) >= 8
    for panel, same_frame, same_picture, is_finished, held in compared:
        assert (same_frame, same_picture, is_finished, held) == (True, True, True, ""), panel


async def test_a_plot_that_cannot_be_built_leaves_the_others(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page = await signed_in.new_page()
    await page.emulate_media(color_scheme="dark")
    # The first axis that measures itself fails.
    await page.add_init_script("""
      let bokeh;
      Object.defineProperty(window, "Bokeh", { configurable: true, get: () => bokeh, set: (value) => {
        bokeh = value;
        queueMicrotask(() => {
          const axis = bokeh.Models.get("LinearAxis").prototype.default_view.prototype;
          const measured = axis._oriented_labels_extent;
          let failed = null;
          axis._oriented_labels_extent = function (...given) {
            failed ??= this.parent;
            if (failed === this.parent) throw new Error("no");
            return measured.apply(this, given);
          };
        });
      } });""")
    await page.goto(f"{site.url}/d/{twelve['id']}?refresh=off")
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    inks = [await page.evaluate(_INK, panel["id"]) for panel in twelve["panels"]]
    assert sum(ink > 300 for ink in inks) == 11


async def test_areas_are_not_filled_where_nobody_measured(signed_in: BrowserContext, site: Site) -> None:
    now_ms = int(time.time() * 1000)
    site.post([
        {"name": "gap.load", "tags": {"host": host}, "value": 50, "timestamp": now_ms - minutes * 60_000 - second * 1000}
        for host in "ab" for minutes in (*range(30, 40), *range(10)) for second in range(0, 60, 10)
    ])  # fmt: skip
    kinds = (("area", {"groupBy": ["host"]}), ("area", {"groupBy": ["host"], "stack": True}), ("stat", {"max": 100}))
    board = site.create("Gaps", [
        {"title": kind, "type": kind, "query": "gap.load", "options": options, "position": {"x": at * 4, "y": 0, "w": 4, "h": 4}}
        for at, (kind, options) in enumerate(kinds)
    ])  # fmt: skip
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off")
    for panel in board["panels"]:
        # Columns of the frame's pixels: before the first sample, among samples, and in the gap. Below it stand the axis' labels.
        before, among, gap = await page.evaluate("""([id, moments]) => {
          const { canvas_view, frame } = dashapp.frames.view(id), { ctx, pixel_ratio } = canvas_view.primary;
          const [top, height] = [frame.bbox.top, frame.bbox.height].map((length) => Math.round(length * pixel_ratio));
          return moments.map((moment) => {
            const x = Math.round(frame.x_scale.compute(moment) * pixel_ratio);
            return [...ctx.getImageData(x, top, 1, height).data].join();
          });
        }""", [panel["id"], [now_ms - minutes * 60_000 for minutes in (50, 35, 20)]])  # fmt: skip
        assert among != before, panel["title"]
        assert gap == before, panel["title"]


async def test_a_drag_moves_a_panel_and_a_reload_shows_it_there(signed_in: BrowserContext, site: Site) -> None:
    board = site.create(
        "Drag",
        [
            {"title": "One", "type": "stat", "query": "demo.load", "position": {"x": 0, "y": 0, "w": 4, "h": 2}},
            {"title": "Two", "type": "stat", "query": "demo.load", "position": {"x": 4, "y": 0, "w": 4, "h": 2}},
        ],
    )
    one = board["panels"][0]
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}")
    handle = frame(page, one).locator('[data-role="drag"]')
    await _drag(page, handle, 700, 0)
    await expect(page.locator(".toast")).to_contain_text("Layout saved")
    stored = {
        panel["title"]: panel["position"] for panel in site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]["panels"]
    }
    assert stored["One"]["x"] > 4
    await page.reload()
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    assert await page.locator(f'[gs-id="{one["id"]}"]').get_attribute("gs-x") == str(stored["One"]["x"])
    # … and undo puts it back.
    await _drag(page, frame(page, one).locator('[data-role="drag"]'), -900, 0)
    await page.locator(".toast button", has_text="Undo").click()
    await expect(page.locator(".toast")).to_contain_text("Layout restored")
    again = {
        panel["title"]: panel["position"] for panel in site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]["panels"]
    }
    assert again == stored


async def _drag(page: Page, handle: Any, dx: int, dy: int) -> None:
    box = await handle.bounding_box()
    x, y = box["x"] + 40, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    for part in range(1, 11):
        await page.mouse.move(x + dx * part / 10, y + dy * part / 10)
    await page.mouse.up()


async def test_somebody_elses_change_is_not_overwritten(signed_in: BrowserContext, site: Site) -> None:
    board = site.create(
        "Conflict",
        [
            {"title": "One", "type": "stat", "query": "demo.load", "position": {"x": 0, "y": 0, "w": 4, "h": 2}},
        ],
    )
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}")
    box = await frame(page, board["panels"][0]).locator('[data-role="drag"]').bounding_box()
    assert box
    await page.mouse.move(box["x"] + 40, box["y"] + 16)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 400, box["y"] + 16, steps=5)
    # Somebody else saves between grip and drop.
    assert site.api.put(f"/api/v1/dashboards/{board['id']}", json={"description": "changed meanwhile"}).status_code == 200
    await page.mouse.move(box["x"] + 740, box["y"] + 16, steps=5)
    await page.mouse.up()
    await expect(page.locator(".toast")).to_contain_text("Somebody else changed")
    stored = site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]
    assert stored["panels"][0]["position"]["x"] == 0
    assert stored["description"] == "changed meanwhile"
    await page.locator(".toast button", has_text="Reload").click()
    await expect(page.locator(f'[gs-id="{board["panels"][0]["id"]}"]')).to_have_attribute("gs-x", "0")


async def test_viewers_drag_nothing(anonymous: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    await sign_in(anonymous, site.url, "viewer@example.org")
    page = await open_dashboard(anonymous, f"{site.url}/d/{twelve['id']}")
    await _drag(page, frame(page, twelve["panels"][0]).locator('[data-role="drag"]'), 300, 0)
    assert await page.locator(f'[gs-id="{twelve["panels"][0]["id"]}"]').get_attribute("gs-x") in ("0", None)


async def test_a_new_sample_appears_without_a_new_canvas_and_the_axis_slides(signed_in: BrowserContext, site: Site) -> None:
    # Ends a while ago, so that the new sample has a bucket of its own.
    site.post(series("demo.stream", {"host": "a"}, [5.0] * 30, end_ms=time.time_ns() // 1_000_000 - 30_000))
    board = site.create(
        "Stream",
        [
            {
                "title": "Line",
                "type": "line",
                "query": "demo.stream",
                "options": {"unit": "percent"},
                "position": {"x": 0, "y": 0, "w": 6, "h": 4},
            },
            {
                "title": "Number",
                "type": "stat",
                "query": "demo.stream",
                "options": {"unit": "percent"},
                "position": {"x": 6, "y": 0, "w": 6, "h": 4},
            },
        ],
    )
    line, number = board["panels"]
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?from=now-15m&refresh=1s")
    await expect(frame(page, number).locator(".headline")).to_have_text("5.0%")
    marked = await page.evaluate(_MARK)
    assert marked >= 2
    root = line["id"]
    before = await page.evaluate(_TIMES, root)
    start = await page.evaluate("(id) => dashapp.frames.plot(id).x_range.start", root)
    site.post([{"name": "demo.stream", "tags": {"host": "a"}, "value": 77.0}])
    await expect(frame(page, number).locator(".headline")).to_have_text("77%")
    await expect(frame(page, line).locator(".legend tbody tr td").nth(1)).to_have_text("77%")
    await page.wait_for_function(
        "([id, last]) => Array.from(dashapp.frames.plot(id).renderers[0].data_source.data.v0).includes(77)", arg=[root, before[-1]]
    )
    assert await page.evaluate(_COUNT) == [marked, marked]
    assert await page.evaluate("(id) => dashapp.frames.plot(id).x_range.start", root) > start


async def test_late_and_corrected_samples_reach_an_open_page(signed_in: BrowserContext, site: Site) -> None:
    now = time.time_ns() // 1_000_000
    site.post(series("demo.late", {}, [1.0] * 60, end_ms=now))
    board = site.create(
        "Late",
        [
            {
                "title": "Most",
                "type": "stat",
                "query": "demo.late",
                "options": {"calculation": "max"},
                "position": {"x": 0, "y": 0, "w": 6, "h": 4},
            }
        ],
    )
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?from=now-15m&refresh=1s")
    await expect(page.locator(".headline")).to_have_text("1.00")
    site.post([{"name": "demo.late", "value": 8.0, "timestamp": now - 8 * 60_000}])
    await expect(page.locator(".headline")).to_have_text("8.00")


async def test_ranges_and_refresh_live_in_the_link(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}")
    root = twelve["panels"][4]["id"]
    await page.locator('[data-picker="range"] > button').click()
    await page.locator('[data-picker="range"] li', has_text="Last 15 minutes").click()
    await page.wait_for_function(
        "(id) => { const r = dashapp.frames.plot(id).x_range; return Math.abs(r.end - r.start - 900000) < 5000; }", arg=root
    )
    await page.locator('[data-picker="refresh"] button').press("Enter")
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"from=now-15m&to=now&refresh=off"))
    await page.reload()
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    await expect(page.locator('[data-picker="range"] [data-label]')).to_have_text("Last 15 minutes")
    await expect(page.locator('[data-picker="refresh"] [data-label]')).to_have_text("Off")


async def test_a_range_that_cannot_be_read_says_so(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}?from=yesterday")
    await expect(page.locator(".banner")).to_contain_text("'yesterday' is no time")


async def test_one_failing_panel_leaves_the_others_alone(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    board = site.create(
        "Failing",
        [
            {
                "title": "Bad",
                "type": "line",
                "query": "demo.load",
                "options": {"step": "1s", "groupBy": ["host"]},
                "position": {"x": 0, "y": 0, "w": 6, "h": 4},
            },
            {"title": "Good", "type": "stat", "query": "demo.load", "position": {"x": 6, "y": 0, "w": 6, "h": 4}},
        ],
    )
    bad, good = board["panels"]
    # Three series at a step of one second over six days are more than a million points.
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?from=now-6d")
    await expect(frame(page, bad)).to_have_attribute("data-state", "error")
    await expect(frame(page, bad).locator(".panel-message p")).to_contain_text("step")
    await expect(frame(page, good)).to_have_attribute("data-state", "live")
    # The panel is mended meanwhile by a shorter range; its own Retry asks again.
    await page.locator('[data-picker="range"] > button').click()
    await page.locator('[data-picker="range"] li', has_text="Last 15 minutes").click()
    await expect(frame(page, bad)).to_have_attribute("data-state", "live")


async def test_a_panel_without_samples_says_why(signed_in: BrowserContext, site: Site) -> None:
    site.post(series("demo.old", {"host": "a"}, [1.0], end_ms=time.time_ns() // 1_000_000 - 3 * 3_600_000))
    board = site.create(
        "Empty",
        [
            {
                "title": "Old",
                "type": "line",
                "query": "demo.old",
                "options": {"tags": {"host": "a"}},
                "position": {"x": 0, "y": 0, "w": 6, "h": 4},
            },
            {"title": "Never", "type": "line", "query": "demo.never", "position": {"x": 6, "y": 0, "w": 6, "h": 4}},
        ],
    )
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}")
    old, never = (frame(page, panel) for panel in board["panels"])
    await expect(old).to_have_attribute("data-state", "empty")
    await expect(old.locator(".panel-message p")).to_have_text(
        "No samples of demo.old with host=a in this range; the newest is 3 h old."
    )
    await expect(never.locator(".panel-message p")).to_have_text("No samples of demo.never in this range; none was ever sent.")


async def test_the_database_away_and_back(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}?refresh=1s")
    await expect(page.locator('[data-panel-id][data-state="live"]')).to_have_count(12)
    marked = await page.evaluate(_MARK)
    number = await frame(page, twelve["panels"][0]).locator(".headline").inner_text()
    site.postgres.stop()
    try:
        await expect(page.locator('[data-panel-id][data-state="stale"]')).to_have_count(12)
        await expect(frame(page, twelve["panels"][0]).locator(".chip")).to_contain_text("stale since")
        assert await frame(page, twelve["panels"][0]).locator(".headline").inner_text() == number
        assert site.api.get("/readyz").status_code == 503
    finally:
        site.postgres.start()
    await expect(page.locator('[data-panel-id][data-state="live"]')).to_have_count(12)
    assert await page.evaluate(_COUNT) == [marked, marked]
    site.post(series("demo.load", {"host": "a"}, [99.0] * 2))
    await expect(page.locator(".legend tbody tr td:nth-child(4)").first).to_have_text("99%")


async def test_a_phone_shows_one_column_and_changes_no_layout(
    signed_in: BrowserContext, site: Site, twelve: dict[str, Any]
) -> None:
    before = site.api.get(f"/api/v1/dashboards/{twelve['id']}").json()["data"]
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}")
    await page.set_viewport_size({"width": 390, "height": 844})
    lines = page.locator('[data-panel-type="line"], [data-panel-type="area"]')
    assert {round((await line.bounding_box())["x"]) for line in await lines.all()} == {12}
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.get_by_role("button", name="Share").click()
    await expect(page.get_by_role("menuitem", name="Scheduled reports")).to_be_in_viewport(ratio=1)
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 1400, "height": 900})
    await expect(page.locator('[data-panel-id][data-state="live"]')).to_have_count(12)
    assert site.api.get(f"/api/v1/dashboards/{twelve['id']}").json()["data"] == before


async def test_the_theme_switches_without_data_and_is_remembered(
    signed_in: BrowserContext, site: Site, twelve: dict[str, Any]
) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}?refresh=off")
    received: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    was = await page.locator("html").get_attribute("data-theme")
    await page.locator('[data-action="theme"]').click()
    now = "light" if was == "dark" else "dark"
    await expect(page.locator("html")).to_have_attribute("data-theme", now)
    assert sum(received) < 20_000
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", now)


async def test_sessions_end_when_pages_close(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    def opened() -> int:
        return int(float(re.search(r"^dashapp_sessions (\S+)$", site.api.get("/metrics").text, re.MULTILINE)[1]))  # type: ignore[index]

    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}")
    assert until(lambda: opened() >= 1, "the viewer to be counted")
    await page.close()
    until(lambda: opened() == 0, "the session to end", 45)


async def test_a_legend_hides_and_isolates_series(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    line = twelve["panels"][4]
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}")
    root = line["id"]
    rows = frame(page, line).locator(".legend tbody tr")
    visible = f"dashapp.frames.plot({root!r}).renderers.map((one) => one.visible)"
    await rows.nth(1).click()
    assert await page.evaluate(visible) == [True, False, True]
    await rows.nth(1).click()
    assert await page.evaluate(visible) == [True, True, True]
    await rows.nth(2).click(modifiers=["Control"])
    assert await page.evaluate(visible) == [False, False, True]
    await rows.nth(2).click(modifiers=["Control"])
    assert await page.evaluate(visible) == [True, True, True]
    # The choice is this viewer's: the next tick keeps it, and a reload starts anew.
    await rows.nth(0).press("Enter")
    assert await page.evaluate(visible) == [False, True, True]


async def test_pointing_at_a_plot_shows_the_values_there(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}")
    plot = frame(page, twelve["panels"][4]).locator(".plot")
    box = await plot.bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    table = page.locator(".hover")
    await expect(table).to_be_visible()
    assert [await name.inner_text() for name in await table.locator("span").all()] == ["a", "b", "c"]
    await expect(table.locator("b").first).to_have_text(re.compile(r"^\d+\.\d%$"))
    # The same moment in every plot over time.
    assert await page.locator(".crosshair:not([hidden])").count() == 8
    await page.mouse.move(10, 10)
    await expect(table).to_be_hidden()


async def test_full_screen_and_the_samples_as_csv(signed_in: BrowserContext, site: Site, twelve: dict[str, Any]) -> None:
    line = twelve["panels"][4]
    page = await open_dashboard(signed_in, f"{site.url}/d/{twelve['id']}")
    panel = frame(page, line)
    await panel.hover()
    await panel.locator(".panel-menu").click()
    async with page.expect_download() as download:
        await page.locator('.menu:visible [data-entry="csv"]').click()
    text = (await (await download.value).path()).read_text()
    head, *rows = text.strip().splitlines()
    assert head == "time,a,b,c"
    assert len(rows) >= 300
    await panel.locator(".panel-menu").click()
    await page.locator('.menu:visible [data-entry="full"]').click()
    box = await panel.bounding_box()
    assert box
    assert box["width"] > 1300
    assert box["height"] > 800
    await page.keyboard.press("Escape")
    box = await panel.bounding_box()
    assert box
    assert box["width"] < 800


async def test_plots_far_from_the_screen_are_painted_when_they_come_near(
    signed_in: BrowserContext, site: Site, twelve: dict[str, Any]
) -> None:
    page = await signed_in.new_page()
    # As the server takes it to be for who comes first: in another theme all plots are soon replaced.
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 1400, "height": 500})
    await page.goto(f"{site.url}/d/{twelve['id']}?refresh=1s")
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    await page.evaluate("""() => {
      window.painted = {};
      for (const [id, { view }] of dashapp.frames.shown) {
        const { repaint } = view;
        view.repaint = function () { painted[id] = (painted[id] ?? 0) + 1; return repaint.call(this); };
      }
    }""")
    at_top, far = twelve["panels"][4]["id"], twelve["panels"][-1]["id"]
    await page.wait_for_function("(id) => painted[id] >= 3", arg=at_top)
    assert await page.evaluate("(id) => painted[id]", far) is None
    await page.locator(f'[data-panel-id="{far}"]').scroll_into_view_if_needed()
    await page.wait_for_function("(id) => painted[id] >= 1", arg=far)
