"""Frames to drawable lines: names, reductions to one number, and what is drawn where samples are sparse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dashapp.contract.frames import Frame, Series, Times, Values
from dashapp.contract.gaps import GAP, bridged, usual

if TYPE_CHECKING:
    from dashapp.contract.dashboards import Calculation, NullHandling
    from dashapp.contract.metrics import Aggregation, Selection

_FIELD = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_.:]*)\}")


@dataclass(frozen=True)
class Line:
    """One named series of a panel."""

    name: str
    tags: dict[str, str]
    times: Times
    #: float64, shape (n,); NaN where the bucket has no sample.
    values: Values
    counts: Values
    aggregation: Aggregation
    step_ms: int


def lines_of(frames: Sequence[Frame], queries: Sequence[tuple[Selection, str | None]]) -> list[Line]:
    """The lines of a panel's frames, in the order of its queries and, within one, of their names."""
    lines = []
    for frame, (selection, alias) in zip(frames, queries, strict=True):
        # A metric's name tells lines apart only where a panel asks for several.
        fallback = selection.query if len({q.query for q, _ in queries}) > 1 else ""
        named = [(_name(series, alias, fallback or selection.query, bool(fallback)), series) for series in frame.series]
        lines += [
            Line(name, series.tags, frame.times, series.values, series.counts, selection.aggregation, frame.step_ms)
            for name, series in sorted(named, key=lambda pair: _natural(pair[0]))
        ]
    return lines


def _name(series: Series, alias: str | None, metric: str, with_metric: bool) -> str:
    if alias is not None:
        return _FIELD.sub(lambda match: series.tags.get(match[1], ""), alias).strip() or metric
    tags = " ".join(value for _, value in sorted(series.tags.items()))
    return f"{metric} {tags}".strip() if with_metric or not tags else tags


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts ``core 2`` before ``core 10``."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text.lower())]


def reduce(line: Line, calculation: Calculation) -> float | None:
    """A line as one number; None where it has no sample.

    An average weighs every bucket by its samples, so that it is the average of the samples and not of averages.
    """
    held = np.flatnonzero(~np.isnan(line.values))
    if held.size == 0:
        return None
    values = line.values[held]
    match calculation:
        case "last":
            return float(values[-1])
        case "min":
            return float(values.min())
        case "max":
            return float(values.max())
        case "sum":
            return float(values.sum())
        case "avg":
            weights = line.counts[held] if line.aggregation == "avg" else np.ones(held.size)
            total = float(weights.sum())
            return float((values * weights).sum() / total) if total else None


def newest_ms(lines: Sequence[Line]) -> int | None:
    """The start of the newest bucket that holds a sample."""
    newest = [int(line.times[held[-1]]) for line in lines if (held := np.flatnonzero(~np.isnan(line.values))).size]
    return max(newest, default=None)


def drawn(line: Line, missing: NullHandling = "gap") -> Values:
    """The line's values as they are drawn; see `bridged`."""
    return bridged(line.times, line.values, line.step_ms, missing)


def with_breaks(times: Times, lines: Sequence[Line], *, both_ends: bool = False) -> Times:
    """Times with one more row in each long gap in which nobody measured, so that the lines break there.

    With `both_ends` there are two, so that what is drawn inside the gap ends where samples begin again.
    """
    if times.size < 3:
        return times
    distances = np.diff(times)
    around = usual(distances, max(line.step_ms for line in lines))
    wide = np.flatnonzero(distances > GAP * around)
    if not wide.size:
        return times
    near = around[wide].astype(np.int64)
    inside = [times[wide] + near, *([times[wide + 1] - near] if both_ends else [])]
    return np.unique(np.concatenate([times, *inside]))


def on_grid(line: Line, times: Times) -> Line:
    """The line on other times, which hold all of its own."""
    if times.size == line.times.size and np.array_equal(times, line.times):
        return line
    values, counts = np.full(times.size, np.nan), np.zeros(times.size)
    at = np.searchsorted(times, line.times)
    values[at], counts[at] = line.values, line.counts
    return Line(line.name, line.tags, times, values, counts, line.aggregation, line.step_ms)
