"""What Grafana's names are called here. Of several candidates the first counts that this version has."""

from __future__ import annotations

from typing import Any, get_args

from dashapp.contract.dashboards import Calculation, PanelType, Unit

_TYPES: dict[str, tuple[str, ...]] = {
    "timeseries": ("line",), "graph": ("line",), "stat": ("stat",), "singlestat": ("stat",), "gauge": ("gauge",),
    "bargauge": ("bar",), "barchart": ("bar",), "table": ("table",), "table-old": ("table",),
    "heatmap": ("heatmap",), "text": ("text",), "alertlist": ("alerts",), "piechart": ("pie",), "state-timeline": ("state",),
}  # fmt: skip
_UNITS: dict[str, tuple[str, ...]] = {
    "none": ("",), "": ("",), "short": ("short",), "percent": ("percent",), "percentunit": ("ratio",),
    "bytes": ("bytes",), "decbytes": ("bytesSI",), "Bps": ("bytesSI/s",), "binBps": ("bytes/s",), "bps": ("bits/s",),
    "s": ("seconds",), "ms": ("ms",), "dtdurations": ("seconds",), "ops": ("ops/s",), "reqps": ("ops/s",), "rps": ("ops/s",),
    "iops": ("ops/s",), "cps": ("ops/s",), "wps": ("ops/s",),
}  # fmt: skip
#: Units without their own counterpart that read well enough in another one, whose prefixes are binary.
_NEAR = {"decbytes": "bytes", "Bps": "bytes/s"}
_CALCULATIONS = {"lastNotNull": "last", "last": "last", "mean": "avg", "avg": "avg", "current": "last", "min": "min", "max": "max",
                 "sum": "sum", "total": "sum"}  # fmt: skip

#: Grafana's filter of states as ours, and as it was before version 8.
ALERT_STATES = {"firing": "firing", "pending": "pending", "error": "error", "noData": "nodata",
                "alerting": "firing", "execution_error": "error", "no_data": "nodata"}  # fmt: skip
_ALERT_ORDERS = {1: "name", 2: "name", 4: "newest", 5: "oldest"}


def panel_type(name: str) -> str | None:
    return next((ours for ours in _TYPES.get(name, ()) if ours in get_args(PanelType)), None)


def unit(name: str) -> tuple[str, str | None]:
    """(our unit, what is to be said about it)."""
    for ours in _UNITS.get(name, ()):
        if ours in get_args(Unit):
            return ours, None
    if name in _NEAR:
        return _NEAR[name], f"unit {name} is written with binary prefixes, as {_NEAR[name]}"
    return "", f"unit {name} is not mapped"


def alert_order(number: Any) -> str | None:
    return _ALERT_ORDERS.get(number) if isinstance(number, int) else None


def calculation(name: str) -> str | None:
    ours = _CALCULATIONS.get(name)
    return ours if ours in get_args(Calculation) else None
