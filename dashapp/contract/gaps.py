"""What is drawn where samples are sparse: panels and the client's plots tell gaps alike."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.frames import Times, Values

#: A gap longer than this many usual distances between samples is shown as a gap.
GAP = 3.0


def bridged(times: Times, values: Values, step_ms: int, missing: Literal["gap", "connect", "zero"] = "gap") -> Values:
    """The values with short gaps bridged by the straight line that would be drawn across them.

    `times` are bucket starts in Unix ms; both arrays are of shape (n,). Buckets finer than the samples' distance are mostly
    empty, and so are the rows that another series alone fills. A gap longer than three times the usual distance stays NaN, as
    nobody measured there; or it is bridged too (`connect`), or filled with zeros (`zero`).
    """
    held = np.flatnonzero(~np.isnan(values))
    if held.size < 2 or held.size == values.size:
        return values
    at = times[held]
    distances = np.diff(at)
    whole = np.interp(times, at, values[held], left=np.nan, right=np.nan)
    before = np.searchsorted(at, times, side="right") - 1
    inside = (before >= 0) & (before < at.size - 1)
    gap = np.zeros(times.size, bool)
    gap[inside] = _long(distances, step_ms)[before[inside]]
    own = np.zeros(times.size, bool)
    own[held] = True
    if missing != "connect":
        whole[gap & ~own] = np.nan if missing == "gap" else 0.0
    whole[held] = values[held]
    return whole


def stretches(times: Times, values: Values, step_ms: int) -> list[NDArray[np.intp]]:
    """The rows with values, in stretches between the gaps at which a line breaks."""
    held = np.flatnonzero(~np.isnan(values))
    if not held.size:
        return []
    return np.split(held, np.flatnonzero(_long(np.diff(times[held]), step_ms)) + 1)


def _long(distances: Times, step_ms: int) -> NDArray[np.bool_]:
    """Which distances between samples are gaps."""
    usual = max(float(np.median(distances)) if distances.size else 0.0, float(step_ms))
    return distances > GAP * usual
