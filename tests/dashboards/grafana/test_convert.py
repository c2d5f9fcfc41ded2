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
from dashapp.dashboards.grafana.promql import NotMapped, Query, read
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
        "variables are not mapped: datasource, job, node",
        "rows are not mapped, their panels are: Quick look, Details, Notes",
    ]
    panels = {panel.title: panel for panel in imported.document.panels}
    assert set(panels) == {"Pressure", "Load 5m", "Disk used", "CPU by mode", "Network", "Open files", "Temperature"} | (
        {"Filesystems"} & set(panels)
    )
    pressure = panels["Pressure"]
    assert (pressure.type, pressure.query, pressure.options.function) == (
        "gauge", "node_pressure_cpu_waiting_seconds_total", "rate",
    )  # fmt: skip
    assert (pressure.options.thresholds.warning, pressure.options.thresholds.critical) == (0.7, 0.9)
    assert (pressure.options.min, pressure.options.max, pressure.options.decimals) == (0, 1, 1)
    load = panels["Load 5m"]
    assert (load.options.calculation, load.options.aggregation, load.options.tags) == ("avg", "avg", {})
    assert (load.options.thresholds.warning, load.options.thresholds.critical) == (None, 8)
    used = panels["Disk used"].options
    assert (panels["Disk used"].type, used.group_by, used.alias, used.aggregation) == ("bar", ["mountpoint"], "{mountpoint}", "max")
    cpu = panels["CPU by mode"]
    assert (cpu.type, cpu.options.stack, cpu.options.tags, len(cpu.options.queries)) == ("area", True, {"mode": "system"}, 1)
    assert cpu.options.queries[0].tags == {"mode": "user"}
    network = panels["Network"]
    assert (network.type, network.query, network.options.unit) == ("line", "node_network_transmit_bytes_total", "bytes/s")
    assert (network.options.group_by, network.options.alias, network.options.aggregation) == (["device"], "{device} out", "sum")
    said = _said(imported)
    assert "arithmetic" in said["CPU busy"]
    assert "instance=$node is left out: variables are not mapped" in said["CPU by mode"]
    assert "query C: the matcher on mode: only equality selects" in said["CPU by mode"]
    assert "overrides are left out" in said["CPU by mode"]
    assert "query A: arithmetic" in said["Network"]
    assert said["Latency"].startswith("panels of type heatmap")
    assert said["Read me"] == "panels of type text"
    assert "unit celsius is not mapped" in said["Temperature"]
    assert "once for each node" in said["Temperature"]
    assert said["From elsewhere"] == "query A: it isn't PromQL"
    assert ("unit percentunit is not mapped" in said["Pressure"]) == ("ratio" not in get_args(Unit))


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
        ('x{a=~"b|c"}', "matcher on a"),
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
    st.none() | st.booleans() | st.integers(-30, 30) | st.text(max_size=5) | st.sampled_from(["timeseries", "row", "up", "red"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "title", "targets", "expr", "gridPos", "x", "w", "h", "y", "fieldConfig", "defaults", "thresholds",
                         "steps", "options", "legend", "panels", "rows", "templating", "list", "unit", "value"]), inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_json, max_size=4), _json)
def test_whatever_the_file_holds_it_is_read_or_refused(panels: list[Any], rest: Any) -> None:
    board = {**(rest if isinstance(rest, dict) else {}), "panels": panels}
    imported = convert(board)
    assert parse(dump(imported.document), "x").name


def test_what_is_no_dashboard() -> None:
    for source in ([], {}, {"title": "x"}, "x", None):
        with pytest.raises(ValidationFailed, match="no dashboard of Grafana"):
            convert(source)


def test_the_command_reports_and_writes(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    command = Running("dashboards", "import-grafana", str(HERE / "webshop.json"), "-o", str(file))
    assert command.process.wait(60) == 0
    command._reader.join(5)
    assert command.lines[0] == "Web shop: 3 of 4 panels mapped."
    assert file.read_text().startswith("name: Web shop\npanels:\n")
