"""Dashboards of Grafana, and what of them has a counterpart here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashapp.contract.dashboards import Unit
from dashapp.contract.documents import dump, parse
from dashapp.dashboards.grafana import Imported, convert
from dashapp.dashboards.grafana.promql import Query, read
from dashapp.dashboards.grafana.unmapped import NotMapped
from dashapp.errors import ValidationFailed
from tests.running import Running

HERE = Path(__file__).parent


def _load(name: str) -> Imported:
    imported = convert(json.loads((HERE / name).read_text()))
    assert parse(dump(imported.document), name) == imported.document.model_copy(
        update={"panels": sorted(imported.document.panels, key=lambda p: (p.position.y, p.position.x))}
    )
    return imported


def _said(imported: Imported) -> dict[str, str]:
    return {panel.title: "; ".join(panel.notes) for panel in imported.panels}


def _place(panel: Any) -> tuple[int, int, int, int]:
    return panel.position.x, panel.position.y, panel.position.w, panel.position.h


def test_a_host_dashboard() -> None:
    imported = _load("servers.json")
    assert (imported.document.name, imported.document.description) == ("Servers", "One host, from its exporter.")
    assert imported.notes == [
        "variable datasource (datasource) is not mapped: samples come from this server",
        "variable node: the values of instance in all of node_uname_info are offered, not only those that its matchers select",
        "rows are not mapped, their panels are: Quick look, Details, Notes",
    ]
    panels = {panel.title: panel for panel in imported.document.panels}
    assert set(panels) == {
        "Pressure", "Load 5m", "Disk used", "Filesystems", "CPU by mode", "Network", "Open files", "Read me", "Temperature",
    }  # fmt: skip
    pressure = panels["Pressure"]
    assert (pressure.type, pressure.query, pressure.options.function) == (
        "gauge", "node_pressure_cpu_waiting_seconds_total", "rate",
    )  # fmt: skip
    assert (pressure.options.thresholds.warning, pressure.options.thresholds.critical) == (0.7, 0.9)
    assert (pressure.options.min, pressure.options.max, pressure.options.decimals) == (0, 1, 1)
    load = panels["Load 5m"]
    assert (load.options.calculation, load.options.aggregation, load.options.tags) == (
        "avg", "avg", {"instance": "$node", "job": "$job"},
    )  # fmt: skip
    assert (load.options.thresholds.warning, load.options.thresholds.critical) == (None, 8)
    used = panels["Disk used"].options
    assert (panels["Disk used"].type, used.group_by, used.alias, used.aggregation) == ("bar", ["mountpoint"], "{mountpoint}", "max")
    cpu = panels["CPU by mode"]
    assert (cpu.type, cpu.options.stack, len(cpu.options.queries)) == ("area", True, 2)
    assert [query.tags for query in (cpu.options, *cpu.options.queries)] == [
        {"instance": "$node", "mode": "system"}, {"instance": "$node", "mode": "user"}, {"mode": ["irq", "softirq"]},
    ]  # fmt: skip
    network = panels["Network"]
    assert (network.type, network.query, network.options.unit) == ("line", "node_network_transmit_bytes_total", "bytes/s")
    assert (network.options.group_by, network.options.alias, network.options.aggregation) == (["device"], "{device} out", "sum")
    said = _said(imported)
    assert "arithmetic" in said["CPU busy"]
    assert "overrides are left out" in said["CPU by mode"]
    assert "query A: arithmetic" in said["Network"]
    assert said["Latency"].startswith("a heat map of ready-made buckets")
    assert panels["Read me"].options.content == "# Hello"
    assert "unit celsius is not mapped" in said["Temperature"]
    assert "once for each node" in said["Temperature"]
    assert said["From elsewhere"] == "query A: it isn't PromQL"
    assert ("unit percentunit is not mapped" in said["Pressure"]) == ("ratio" not in get_args(Unit))


def test_variables_texts_tables_and_heat_maps() -> None:
    imported = _load("exporter.json")
    offered = {variable.name: variable for variable in imported.document.variables}
    assert {name: (one.metric, one.tag, one.values, one.multi, one.all) for name, one in offered.items()} == {
        "job": ("node_uname_info", "job", [], False, False),
        "node": ("node_uname_info", "instance", [], True, True),
        "disk": ("node_disk_io_now", "device", [], False, False),
        "mode": (None, None, ["system", "user", "iowait"], False, True),
        "stage": (None, None, ["prod"], False, False),
    }
    # What was chosen when it was saved, where it can be.
    defaults = {name: one.default for name, one in offered.items() if one.default}
    assert defaults == {"job": ["node"], "node": ["a:9100", "b:9100"]}
    assert (offered["node"].label, offered["stage"].label) == ("Instance", "")
    assert imported.notes == [
        "variable ds_prometheus (datasource) is not mapped: samples come from this server",
        "variable node: the values of instance in all of node_uname_info are offered, not only those that its matchers select",
        "variable disk: its regular expression is left out, all values are offered",
        "variable nodename (query) is not mapped: its label_values names no metric",
        "variable count (query) is not mapped: only label_values(metric, label) asks for a tag's values",
        "variable mode: the value iowait is offered as itself, not as Waiting",
        "variable window (interval) is not mapped: the width of buckets follows the range",
        "variable find (textbox) is not mapped: readers choose from a tag's values or from a list",
        "variable a-b (custom) is not mapped: name: String should match pattern '^[a-zA-Z_][a-zA-Z0-9_]*$'",
    ]
    panels = {panel.title: panel for panel in imported.document.panels}
    assert (panels["Text"].type, panels["Text"].options.content) == ("text", "# ${node} of ${job}\n\nCall <b>ops</b> about $find.")
    assert (panels["Old"].options.content, panels["Config"].options.content) == ("Words", "```yaml\na: 1\n```")
    cpu = panels["CPU of ${node}, $find"].options
    assert (cpu.tags, cpu.function) == ({"instance": "$node", "job": "$job", "mode": ["$mode", "nice"]}, "rate")
    assert (cpu.alias, cpu.group_by, cpu.legend) == ("${stage} {mode}", ["mode"], ["avg", "last", "max"])
    disks = panels["Disks"]
    assert (disks.type, disks.options.legend, disks.options.tags) == ("table", ["last"], {"device": "$disk", "stage": "$stage"})
    assert (panels["Spread"].type, panels["Spread"].options.group_by) == ("heatmap", ["instance"])
    said = _said(imported)
    assert said["CPU of ${node}, $find"] == (
        "its title says $find, which is not mapped; cpu=$find is left out: $find is not mapped, all values are shown; "
        "host=$node:9100 is left out: a variable is only a part of it, all values are shown"
    )
    assert said["Text"] == "HTML in its text is shown as the characters it is; its text says $find, which is not mapped"
    assert said["Page"] == "its text is HTML; here a text is Markdown"
    assert said["Latency"].startswith("a heat map of ready-made buckets")
    assert imported.report().startswith("Exporter: 6 of 8 panels mapped.")


def test_places_are_halved_and_edges_still_touch() -> None:
    panels = {panel.title: panel for panel in _load("servers.json").document.panels}
    assert _place(panels["CPU by mode"]) == (0, 2, 6, 4)
    assert _place(panels["Network"]) == (6, 2, 6, 4)
    assert _place(panels["Pressure"]) == (0, 0, 1, 2)
    assert _place(panels["Load 5m"]) == (3, 0, 1, 2)
    assert _place(panels["Open files"]) == (0, 6, 6, 5)
    assert panels["Temperature"].position.y == 14, "below the panels of the row that was collapsed"


def test_a_dashboard_from_before_the_grid() -> None:
    imported = _load("webshop.json")
    first, second, queue = imported.document.panels
    assert (first.type, first.query, first.options.function, first.options.aggregation) == (
        "stat", "http_requests_total", "rate", "sum",
    )  # fmt: skip
    assert (first.options.unit, first.options.thresholds.warning, first.options.thresholds.critical) == ("ops/s", 100, 500)
    assert (second.type, second.options.stack, second.options.show_legend, second.options.limit) == ("area", True, False, 5)
    assert (second.options.group_by, second.options.alias, second.options.min) == (["handler"], "{handler}", 0)
    assert [_place(panel) for panel in (first, second, queue)] == [(0, 0, 3, 4), (3, 0, 9, 4), (0, 4, 6, 4)]
    said = _said(imported)
    assert "the matcher on handler" in said["By status"]
    assert "drawn as one" in said["Queue"]
    assert "without (…)" in said["Untitled"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("up", Query("up")),
        ('{__name__="up", job="a"}', Query("up", {"job": "a"})),
        ('avg by (host) (metric{a="b"})', Query("metric", {"a": "b"}, "avg", None, ["host"])),
        ('avg(metric{a="b"}) by (host, core)', Query("metric", {"a": "b"}, "avg", None, ["host", "core"])),
        ("rate(x_total[5m])", Query("x_total", {}, None, "rate")),
        ("sum(rate(x_total[$__rate_interval])) by (job)", Query("x_total", {}, "sum", "rate", ["job"])),
        ("((max((increase(x_total[1h])))))", Query("x_total", {}, "max", "increase", [])),
        ('topk(3, sum by (a) (rate(x[5m])))', Query("x", {}, "sum", "rate", ["a"], 3)),
        ('x{a=~"plain", b=~".*"}', Query("x", {"a": "plain"})),
        ('x{a=~"b|c"}', Query("x", {"a": ["b", "c"]})),
        ("job:up:sum", Query("job:up:sum")),
    ],
)  # fmt: skip
def test_promql_that_is_one_query(text: str, query: Query) -> None:
    assert read(text) == query


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sum(x)", "add up the samples of a bucket"),
        ("count by (a) (x)", "add up the samples"),
        ("x / y", "arithmetic"),
        ("x * 8", "arithmetic"),
        ("-x", "arithmetic"),
        ("x offset 5m", "offset"),
        ("x @ 1", "offset and @"),
        ('x{a!="b"}', "matcher on a"),
        ('x{a=~"b.*|c"}', "matcher on a"),
        ('x{a=~"b|"}', "without that label"),
        ('x{a="b",a=~"b|c"}', "two matchers on a"),
        ('x{a=""}', "without that label"),
        ("avg without (a) (x)", "without"),
        ("max(avg by (a) (x))", "aggregation of an aggregation"),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "function histogram_quantile"),
        ("quantile(0.9, x)", "aggregation quantile"),
        ("rate(x[5m:1m])", "anything but a metric's range"),
        ("sum(", "no PromQL"),
        ("1", "isn't a query"),
        ("$metric", "no PromQL"),
        ('{a="b"}', "without a metric's name"),
    ],
)
def test_promql_that_would_give_other_numbers_is_refused(text: str, why: str) -> None:
    with pytest.raises(NotMapped) as refusal:
        read(text)
    assert why in str(refusal.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-30, 30) | st.text(max_size=5)
    | st.sampled_from(["timeseries", "row", "up", "red", "text", "alertlist", "query", "custom", "label_values(a, b)"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "title", "targets", "expr", "gridPos", "x", "w", "h", "y", "fieldConfig", "defaults", "thresholds",
                         "steps", "options", "legend", "panels", "rows", "templating", "list", "unit", "value", "name",
                         "query", "mode", "content", "options", "stateFilter", "sortOrder", "maxItems"]), inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_json, max_size=4), _json)
def test_whatever_the_file_holds_it_is_read_or_refused(panels: list[Any], rest: Any) -> None:
    board = {**(rest if isinstance(rest, dict) else {}), "panels": panels}
    imported = convert(board)
    assert parse(dump(imported.document), "x").name


def test_lists_of_alerts_keep_what_they_filter_by() -> None:
    listed = {
        "stateFilter": {"firing": True, "noData": True, "normal": True, "pending": False}, "alertName": "disk $host",
        "maxItems": 20, "sortOrder": 1, "alertInstanceLabelFilter": '{job="x", instance=~"a|b"}',
    }  # fmt: skip
    labels = {"alertInstanceLabelFilter": '{job!="x"}', "sortOrder": 3, "dashboardAlerts": True, "viewMode": "stat"}
    old = {"stateFilter": {"alerting": True, "ok": False, "execution_error": True}, "sortOrder": "?"}
    panels = [{"title": f"L{place}", "type": "alertlist", "options": one} for place, one in enumerate((listed, labels, old))]
    imported = convert({"panels": panels})
    assert {panel.type for panel in imported.document.panels} == {"alerts"}
    assert [panel.options.model_dump(exclude_defaults=True) for panel in imported.document.panels] == [
        {"alert_states": ["firing", "nodata"], "matching": "disk $host", "limit": 20, "alert_order": "name",
         "tags": {"job": "x", "instance": ["a", "b"]}},
        {},
        {"alert_states": ["firing", "error"]},
    ]  # fmt: skip
    assert _said(imported) == {
        "L0": "alerts that are well aren't listed; its filter says $host, which is not mapped",
        "L1": "its filter by labels is left out: the matcher on job: only equality selects; "
        "it lists all alerts, not only this dashboard's; it lists alerts one by one",
        "L2": "",
    }


def test_what_is_no_dashboard() -> None:
    for source in ([], {}, {"title": "x"}, "x", None):
        with pytest.raises(ValidationFailed, match="no dashboard of Grafana"):
            convert(source)


def test_the_command_reports_and_writes(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    command = Running("dashboards", "import-grafana", str(HERE / "webshop.json"), "-o", str(file))
    assert command.ended()[0] == 0
    assert command.lines[0] == "Web shop: 3 of 4 panels mapped."
    assert file.read_text().startswith("name: Web shop\npanels:\n")
