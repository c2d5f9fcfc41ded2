"""The panels: states, numbers, and that one update changes as little as it can."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from bokeh.document import Document

import dashapp.pages
from dashapp.contract.alerts import ActiveAlert, FiringPeriod
from dashapp.contract.dashboards import PanelDefinition
from dashapp.contract.frames import Frame, FrameMeta, Series
from dashapp.errors import ValidationFailed
from dashapp.panels import PANELS, Panel, Parts, panel_of
from dashapp.panels.alerts import AlertsPanel
from dashapp.panels.markup import html_of
from dashapp.panels.palette import PALETTES, SERIES
from dashapp.panels.timeplot import TimePlot

ASKING = [kind for kind, panel in PANELS.items() if panel.asks]
END = 1_700_000_000_000
STEP = 10_000


def definition(kind: str, **options: Any) -> PanelDefinition:
    options = {"unit": "percent", "groupBy": ["host"], **options}
    return PanelDefinition.model_validate({"title": "T", "type": kind, "query": "demo.load", "options": options})


def frame(rows: dict[str, list[float]], *, end_ms: int = END) -> Frame:
    count = len(next(iter(rows.values()), []))
    times = np.arange(end_ms - count * STEP, end_ms, STEP, dtype=np.int64)
    series = [Series({"host": host}, np.array(values, float), np.ones(count)) for host, values in rows.items()]
    return Frame(times, series, FrameMeta("metrics_raw", "raw", STEP, end_ms - count * STEP, end_ms))


def shown(kind: str, rows: dict[str, list[float]], **options: Any) -> Panel:
    panel = panel_of(definition(kind, **options))
    panel.update([frame(rows)], END - 3_600_000, END)
    return panel


@pytest.mark.parametrize("kind", ASKING)
def test_states(kind: str) -> None:
    panel = panel_of(definition(kind))
    assert panel.card.state == "loading"
    panel.update([frame({"a": [1.0, 2.0]})], END - 60_000, END)
    assert (panel.card.state, panel.card.message) == ("live", "")
    panel.stale(END, "The database can't be reached.")
    assert (panel.card.state, panel.card.since) == ("stale", END)
    panel.update([frame({"a": [1.0, 3.0]})], END - 60_000, END)
    assert (panel.card.state, panel.card.since) == ("live", None)
    panel.update([frame({})], END - 60_000, END)
    assert panel.card.state == "empty"
    assert panel.card.message == "no samples of demo.load in this range"
    panel.nothing_since(END - 3 * 3_600_000, END)
    assert panel.card.message.endswith("; the newest is 3 h old")
    panel.fail("broken")
    assert (panel.card.state, panel.card.message, panel.card.legend) == ("error", "broken", [])
    panel.stale(END, "still away")
    assert panel.card.state == "error", "there is nothing left to call stale"
    panel.update([frame({"a": [1.0]})], END - 60_000, END)
    assert panel.card.state == "live"


def test_data_that_stopped_coming_is_stale_only_where_the_range_ends_now() -> None:
    old = frame({"a": [1.0, 2.0]}, end_ms=END - 600_000)
    panel = panel_of(definition("line"))
    panel.update([old], END - 3_600_000, END)
    assert (panel.card.state, panel.card.since) == ("stale", END - 600_000 - STEP)
    panel.update([old], END - 3_600_000, END, live=False)
    assert panel.card.state == "live"


@pytest.mark.parametrize(
    ("value", "thresholds", "level"),
    [
        (10, {}, "plain"), (10, {"warning": 80, "critical": 90}, "ok"), (80, {"warning": 80, "critical": 90}, "warning"),
        (95, {"warning": 80, "critical": 90}, "critical"), (95, {"critical": 90}, "critical"),
        (5, {"warning": 20, "critical": 10}, "critical"), (15, {"warning": 20, "critical": 10}, "warning"),
        (50, {"warning": 20, "critical": 10}, "ok"),
    ],
)  # fmt: skip
def test_levels(value: float, thresholds: dict[str, float], level: str) -> None:
    assert shown("stat", {"a": [value]}, thresholds=thresholds).card.headline["level"] == level


def test_stat_and_gauge_say_the_calculated_number() -> None:
    for kind in ("stat", "gauge"):
        assert shown(kind, {"a": [10.0, 30.0, 20.0]}, calculation="max").card.headline["number"] == "30"
        assert shown(kind, {"a": [10.0, 30.0, 20.0]}).card.headline["number"] == "20"


def test_a_legend_row_is_name_colour_last_average_and_largest() -> None:
    panel = shown("line", {"a": [10.0, 30.0, 20.0], "b": [1.0, 1.0, 1.0]})
    assert panel.card.legend == [["a", SERIES[0], "20%", "20%", "30%"], ["b", SERIES[1], "1.0%", "1.0%", "1.0%"]]
    assert shown("line", {"a": [1.0]}, showLegend=False).card.legend == []
    assert shown("line", {"a": [1.0]}, color="#123456").card.legend[0][1] == "#123456"


def test_stacked_areas_stand_on_each_other() -> None:
    panel = shown("area", {"a": [1.0, 2.0], "b": [10.0, 20.0]}, stack=True)
    data = panel.source.data  # type: ignore[attr-defined]
    np.testing.assert_array_equal(data["y1"], [11.0, 22.0])
    np.testing.assert_array_equal(data["b1"], [1.0, 2.0])
    np.testing.assert_array_equal(data["v1"], [10.0, 20.0])


def test_bars_are_largest_first_and_limited() -> None:
    panel = shown("bar", {"a": [10.0], "b": [30.0], "c": [20.0]}, limit=2)
    assert list(panel.names.major_label_overrides.values()) == ["b", "c"]  # type: ignore[attr-defined]
    np.testing.assert_allclose(panel.source.data["value"], [0.3, 0.2])  # type: ignore[attr-defined]


def test_a_function_passes_to_the_query_and_a_rate_of_bytes_is_bytes_a_second() -> None:
    panel = panel_of(definition("line", unit="bytes", function="rate", queries=[{"query": "other"}]))
    assert [selection.function for selection, _ in panel.selections] == ["rate", None]
    assert (panel.unit, panel.shown_unit) == ("bytes", "bytes/s")
    assert panel_of(definition("line", unit="bytes", function="increase")).unit == "bytes"
    assert panel_of(definition("line", unit="count", function="rate")).unit == "count"


def test_too_many_lines_say_so() -> None:
    panel = shown("line", {f"h{index}": [float(index)] for index in range(60)})
    assert len(panel.lines) == 40
    assert panel.card.notes == ["the 40 largest of 60 series"]


def test_a_new_series_changes_renderers_and_not_the_plot() -> None:
    panel = shown("line", {"a": [1.0, 2.0]})
    plot = panel.plot
    panel.update([frame({"a": [1.0, 2.0], "b": [3.0, 4.0]})], END - 60_000, END)
    assert panel.plot is plot
    assert len(plot.renderers) == 2


@pytest.mark.parametrize("kind", ASKING)
def test_an_unchanged_answer_sends_nothing(kind: str) -> None:
    panel = panel_of(definition(kind, thresholds={"warning": 50, "critical": 80}))
    answer = frame({"a": [1.0, 2.0, 4.0], "b": [2.0, 2.0, 2.0]})
    panel.update([answer], END - 60_000, END)
    document, events = Document(), []
    if panel.plot:
        document.add_root(panel.plot)
    document.add_root(panel.card)
    document.on_change(events.append)
    panel.update([answer], END - 60_000, END)
    assert events == []


@pytest.mark.parametrize("kind", ASKING)
def test_dressing_in_another_theme_sends_colours_and_no_data(kind: str) -> None:
    parts = Parts("dark")
    panel = panel_of(definition(kind, thresholds={"warning": 1, "critical": 80}), parts)
    panel.update([frame({"a": [1.0, 2.0, 4.0]})], END - 60_000, END)
    parts.theme = "light"
    panel.dress()
    written = str(Document.from_json(_document(panel)).to_json())
    dark, light = PALETTES["dark"], PALETTES["light"]
    assert dark.warning not in written
    if kind not in ("line", "table", "heatmap"):
        assert light.warning in written


def _document(panel: Panel) -> Any:
    document = Document()
    if panel.plot:
        document.add_root(panel.plot)
    return document.to_json()


def test_the_style_sheet_and_the_palette_agree() -> None:
    sheet = (Path(dashapp.pages.__file__).parent / "static" / "css" / "dashapp.css").read_text()
    dark, light = re.findall(r":root(?:\[data-theme=\"light\"\])? \{\n(  --page.*?)\n\}", sheet, re.DOTALL)
    for palette, block in ((PALETTES["dark"], dark), (PALETTES["light"], light)):
        properties = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for name, key in {"grid": "plot-grid"}.items() | {
            (n, n) for n in ("surface", "track", "text", "muted", "ok", "warning", "critical")
        }:
            assert properties[key] == getattr(palette, name), key


def test_the_legend_has_the_figures_that_were_chosen() -> None:
    panel = shown("line", {"a": [1.0, 3.0, 2.0]}, legend=["min", "max", "sum"])
    assert panel.card.figures == ["min", "max", "sum"]
    assert [row[2:] for row in panel.card.legend] == [["1.0%", "3.0%", "6.0%"]]


@pytest.mark.parametrize(("style", "spans", "bands"), [("line", 2, 0), ("band", 0, 2), ("off", 0, 0)])
def test_thresholds_are_lines_or_bands_or_nothing(style: str, spans: int, bands: int) -> None:
    panel = shown("line", {"a": [1.0]}, thresholds={"warning": 60, "critical": 90}, thresholdStyle=style)
    kinds = [type(model).__name__ for model in panel.plot.center]
    assert (kinds.count("Span"), kinds.count("BoxAnnotation")) == (spans, bands)


@pytest.mark.parametrize(("warning", "critical", "ends"), [(60, 90, (60, 90, 90)), (30, 10, (10, 30, 10))])
def test_bands_lie_where_values_are_bad(warning: float, critical: float, ends: tuple[float, ...]) -> None:
    panel = shown("line", {"a": [1.0]}, thresholds={"warning": warning, "critical": critical}, thresholdStyle="band")
    assert isinstance(panel, TimePlot)
    warn, bad = panel.bands["warning"], panel.bands["critical"]
    assert (warn.bottom, warn.top, bad.bottom if critical > warning else bad.top) == ends


def test_stacked_bars_are_one_bar_of_parts() -> None:
    panel = shown("bar", {"a": [20.0], "b": [30.0]}, stack=True)
    data = panel.plot.renderers[1].data_source.data
    np.testing.assert_allclose(data["from"], [0, 0.2])
    np.testing.assert_allclose(data["value"], [0.2, 0.5])
    assert list(data["color"]) == list(SERIES[:2])
    assert [row[0] for row in panel.card.legend] == ["a", "b"]


def test_a_panel_takes_the_place_of_another() -> None:
    stat = shown("stat", {"a": [1.0]})
    line = panel_of(definition("line"), stat.parts, "", stat.card)
    line.update([frame({"a": [1.0]})], END - 60_000, END)
    assert line.card is stat.card
    assert (line.card.kind, line.card.plot, line.card.headline) == ("line", line.plot, {})
    assert line.card.names == ["a"]


def test_a_tables_rows_have_figures_levels_and_bars() -> None:
    rows = {"a": [10.0, 30.0], "b": [90.0, 50.0]}
    panel = shown("table", rows, legend=["last", "max"], thresholds={"warning": 40}, decimals=0)
    assert panel.card.table == {
        "columns": ["last", "max"],
        "rows": [["a", "ok", 0.3, [30.0, 30.0], ["30%", "30%"]], ["b", "warning", 0.5, [50.0, 90.0], ["50%", "90%"]]],
    }
    assert shown("table", rows, min=20, max=60).card.table["rows"][0][2] == 0.25
    assert shown("table", rows, legend=[]).card.table["rows"][0][1:] == ["plain", 0.0, [], []]


@pytest.mark.parametrize("kind", list(PANELS))
def test_a_panel_is_its_definition_and_back(kind: str) -> None:
    """Everything that can be stored of a panel is one of its parameters."""
    asked = {"query": "m", "unit": "bytes", "function": "rate", "by": "host", "tags": {"a": ["x", "y"]}, "alias": "{host}"}
    further = [{"query": "other", "aggregation": "max"}]
    panel = PANELS[kind](title="T", **asked, step="1m", warning=1, queries=further, limit=3, null_handling="zero")
    stored = panel.definition()
    assert stored.type == kind
    assert stored.options.model_dump(exclude_defaults=True)["group_by"] == ["host"]
    again = panel_of(stored)
    assert again.definition() == stored
    assert again.selections == panel.selections == stored.selections()
    with pytest.raises(ValidationFailed, match=r"^options\.step: .*is not a duration"):
        PANELS[kind](query="m", step="1x")


def test_text_is_shown_without_asking_for_anything() -> None:
    panel = panel_of(PanelDefinition.model_validate({"title": "T", "type": "text", "options": {"content": "# Call *Ada*"}}))
    panel.update([], END - 60_000, END)
    assert (panel.selections, panel.plot, panel.card.state) == ([], None, "live")
    assert panel.card.html == "<h1>Call <em>Ada</em></h1>\n"
    empty = panel_of(PanelDefinition.model_validate({"title": "T", "type": "text"}))
    empty.update([], END - 60_000, END)
    assert empty.card.state == "empty"
    assert "no text yet" in empty.card.message


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)", "![x](https://evil.example/pixel.png)", "<a href='javascript:alert(1)'>x</a>",
        "[x](vbscript:x)", "<svg/onload=alert(1)>", "<iframe src=//evil.example></iframe>", "<style>body{display:none}</style>",
        "[x](https://a.example 'y\" onclick=alert(1)')", "<div style='position:fixed;inset:0'>x</div>", "`<b onclick=x>`",
        "[x]: javascript:alert(1)\n\n[x]", "<javascript:alert(1)>", "|<td onclick=x>|\n|-|\n|<b>|",
    ],
)  # fmt: skip
def test_hostile_text_stays_text(hostile: str) -> None:
    made = html_of(hostile)
    assert not re.search(r"<(?!/?(?:p|a|h1|code|table|thead|tbody|tr|th|td)\b)[a-z/]", made, re.IGNORECASE), made
    for tag in re.findall(r"<[a-z][^>]*>", made):
        assert re.fullmatch(r'<\w+(?: href="https?://[^"]*")?(?: title="[^"]*")?(?: rel="noopener noreferrer")?>', tag), tag


def test_links_do_not_hand_over_the_page() -> None:
    made = html_of("[docs](https://example.org) and [here](/d/1)")
    assert made.count('rel="noopener noreferrer"') == 2
    assert 'href="/d/1"' in made


@pytest.mark.parametrize(
    "hostile", ["[" * 5000, "*a " * 3300, "> " * 5000, "`" * 10_000, "[a](" * 2500, "|" * 10_000, "<" * 10_000]
)
def test_text_as_long_as_it_may_be_does_not_hold_the_server_up(hostile: str) -> None:
    before = time.process_time()
    html_of(hostile)
    assert time.process_time() - before < 1.0


def test_a_heat_maps_cells_count_the_series_of_each_band() -> None:
    nan = float("nan")
    rows = {"a": [0.0, 50.0, 100.0], "b": [2.0, nan, 99.0], "c": [100.0, 50.0, 150.0]}
    panel = shown("heatmap", rows, min=0, max=100)
    cells = panel.plot.renderers[0].data_source.data
    image = cells["image"][0]
    assert image.shape == (20, 3)
    expected = np.zeros((20, 3))
    expected[0, 0], expected[19, 0], expected[10, 1], expected[19, 2] = 2, 1, 2, 2  # what lies above the axis isn't shown
    assert np.array_equal(image, expected)
    assert (cells["x"], cells["dw"], cells["y"], cells["dh"]) == ([END - 3 * STEP], [3.0 * STEP], [0.0], [100.0])
    assert panel.card.names[10] == "50% to 55%"
    assert panel.card.legend == []


def test_a_heat_map_of_rare_samples_has_no_stripes_and_takes_many_series() -> None:
    rows = {str(series): [float(series) if at % 6 == 0 else float("nan") for at in range(60)] for series in range(300)}
    panel = shown("heatmap", rows)
    image = panel.plot.renderers[0].data_source.data["image"][0]
    assert image.shape == (20, 10)
    assert image.sum() == 3000
    assert (image.sum(axis=0) == 300).all()
    assert panel.card.notes == []


def test_periods_of_alerts_are_bands_on_plots_of_the_same() -> None:
    def period(**fields: Any) -> FiringPeriod:
        return FiringPeriod.model_validate(
            {"query": "demo.load", "tags": {"host": "a"}, "rule_name": "Busy", "severity": "critical", "start_ms": 1, **fields}
        )

    panel = shown("line", {"a": [1.0, 2.0]}, tags={"host": ["a", "c"]})
    count = len(panel.plot.center)
    others = [period(tags={"host": "b"}), period(query="other"), period(tags={"host": "b", "disk": "x"})]
    panel.mark([period(), period(end_ms=9, severity="info"), *others])
    assert panel.card.marks == [[1, None, "Busy", "critical"], [1, 9, "Busy", "info"]]
    bands = panel.plot.center[:2]
    assert [band.left for band in bands] == [1.0, 1.0]
    assert bands[1].right == 9.0
    assert len(panel.plot.center) == count + 2
    panel.mark([])
    assert len(panel.plot.center) == count
    assert period(tags={}).concerns(panel.selections[0][0])


def alert(**fields: Any) -> ActiveAlert:
    known = {
        "rule_id": UUID(int=1), "rule_name": "Disk filling", "query": "disk.used", "severity": "critical", "tags": {"host": "a"},
        "state": "firing", "since_ms": END, "value": 93.0, "muted": False,
    }  # fmt: skip
    return ActiveAlert.model_validate(known | fields)


@pytest.mark.parametrize(
    ("options", "shown_rules"),
    [
        ({}, ["Disk filling", "Load"]),
        ({"alertStates": ["nodata"]}, ["Quiet"]),
        ({"severities": ["warning"]}, ["Load"]),
        ({"matching": "DISK host=a"}, ["Disk filling"]),
        ({"matching": "host=a load"}, []),
        ({"tags": {"host": ["b", "c"]}}, ["Load"]),
        ({"limit": 1}, ["Disk filling"]),
        (
            {"alertStates": ["firing", "nodata", "pending"], "alertOrder": "name", "matching": "disk.used"},
            ["Disk filling", "Quiet"],
        ),
        ({"alertOrder": "newest"}, ["Load", "Disk filling"]),
        ({"alertOrder": "oldest"}, ["Disk filling", "Load"]),
        ({"alertStates": []}, []),
    ],
)
def test_a_list_of_alerts_shows_what_is_asked_for(options: dict[str, Any], shown_rules: list[str]) -> None:
    panel = panel_of(PanelDefinition.model_validate({"title": "T", "type": "alerts", "options": options}))
    assert isinstance(panel, AlertsPanel)
    panel.update([], END - 60_000, END)
    assert (panel.selections, panel.plot, panel.card.state) == ([], None, "loading")
    others = [
        alert(rule_name="Load", query="load", severity="warning", state="pending", tags={"host": "b"}, since_ms=END + 1),
        alert(rule_name="Quiet", state="nodata", value=None),
    ]
    panel.tell([alert(), *others])
    assert [row[3] for row in panel.card.alerts] == shown_rules
    assert panel.card.state == ("live" if shown_rules else "empty")
    assert panel.card.notes == (["1 more"] if options.get("limit") else [])


def test_a_list_of_alerts_says_why_it_is_empty() -> None:
    panel = panel_of(PanelDefinition.model_validate({"title": "T", "type": "alerts"}))
    assert isinstance(panel, AlertsPanel)
    panel.tell([alert()])
    assert panel.card.alerts == [["firing", "critical", str(UUID(int=1)), "Disk filling", "host=a", float(END), "93.0", False]]
    panel.stale(END, "The database can't be reached.")
    assert (panel.card.state, len(panel.card.alerts)) == ("stale", 1)
    panel.tell([])
    assert (panel.card.state, panel.card.message, panel.card.alerts) == ("empty", "no alert is firing or pending here", [])
    panel.tell(None)
    assert "readers with an account" in panel.card.message
