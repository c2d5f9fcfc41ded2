"""Bringing a `ColumnDataSource` to new columns with the smallest message: stream, patch, or replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from numpy.typing import NDArray

Column = NDArray[np.float64]
#: Above this share of changed cells a replacement is smaller than a patch.
_PATCH_SHARE = 0.25


def bring(source: ColumnDataSource, new: Mapping[str, Column], *, key: str = "t") -> str:
    """Change `source` to hold `new`, whose column `key` ascends; say how: ``same``, ``live`` or ``replaced``.

    Rows that came are streamed, rows that left at the old end go by that stream's rollover, and cells that changed are
    patched, so that a tick costs a few numbers whatever the range. Where rows left and none came yet, the source holds
    them until one does: they lie left of the axis, and sending all the others again would cost a hundred times as much.
    What doesn't fit that (other columns, rows in between, most cells changed) replaces the data; glyphs and canvases
    stay in any case.
    """
    old: Mapping[str, Any] = source.data
    if set(old) != set(new) or not len(old[key]) or not len(new[key]):
        if set(old) == set(new) and not len(old[key]) and not len(new[key]):
            return "same"
        source.data = _own(new)
        return "replaced"
    times, before = new[key], np.asarray(old[key])
    kept_from = int(np.searchsorted(before, times[0]))
    kept = before.size - kept_from
    if kept <= 0 or kept > times.size or not np.array_equal(before[kept_from:], times[:kept]):
        source.data = _own(new)
        return "replaced"
    patches: dict[str, list[tuple[int, float]]] = {}
    for name, column in new.items():
        was, now = np.asarray(old[name])[kept_from:], column[:kept]
        changed = np.flatnonzero((was != now) & ~(np.isnan(was) & np.isnan(now)))
        if changed.size > max(8, kept * _PATCH_SHARE):
            source.data = _own(new)
            return "replaced"
        if changed.size:
            patches[name] = [(int(row) + kept_from, float(now[row])) for row in changed]
    if patches:
        source.patch(patches)
    if kept < times.size:
        # Lists, not arrays: a row or two are shorter as JSON than as binary buffers of their own.
        source.stream({name: column[kept:].tolist() for name, column in new.items()}, rollover=int(times.size))
    return "live" if patches or kept < times.size else "same"


def _own(columns: Mapping[str, Column]) -> dict[str, Column]:
    # Copies: Bokeh patches arrays in place, and frames are shared by all viewers of a query.
    return {name: np.array(column, np.float64) for name, column in columns.items()}
