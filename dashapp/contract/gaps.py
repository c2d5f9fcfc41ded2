"""What is drawn where samples are sparse: panels and the client's plots tell gaps alike."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.frames import Times, Values

#: A distance between samples longer than this many of those around it is shown as a gap.
GAP = 3.0


def bridged(times: Times, values: Values, step_ms: int, missing: Literal["gap", "connect", "zero"] = "gap") -> Values:
    """The values with short gaps bridged by the straight line that would be drawn across them.

    `times` are bucket starts in Unix ms; both arrays are of shape (n,). Buckets finer than the samples' distance are mostly
    empty, and so are the rows that another series alone fills. A gap longer than three times the distances around it stays NaN,
    as nobody measured there; or it is bridged too (`connect`), or filled with zeros (`zero`).
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
    gap[inside] = (distances > GAP * usual(distances, step_ms))[before[inside]]
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
    distances = np.diff(times[held])
    return np.split(held, np.flatnonzero(distances > GAP * usual(distances, step_ms)) + 1)


def usual(distances: Times, step_ms: int) -> NDArray[np.float64]:
    """For each distance between samples, in ms, what would be usual there; at least a step. Of the same shape.

    It is the middle one of the three distances before or of the three after, whichever is longer: whoever begins to measure less
    often, as the host agent does after its first minute, leaves no gaps. Where there are fewer, the median of all stands for them.
    """
    if not distances.size:
        return np.empty(0)
    edge = np.full(3, np.median(distances))
    padded = np.concatenate([edge, distances, edge])
    near = np.lib.stride_tricks.sliding_window_view(padded, 3)
    middles = np.sort(near, axis=1)[:, 1]
    around: NDArray[np.float64] = np.maximum(middles[: distances.size], middles[4 : 4 + distances.size])
    return np.maximum(around, float(step_ms))
