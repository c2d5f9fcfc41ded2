"""Cells, the numbers of series by buckets, as columns of shape (cells,): places of series, times (Unix ms), values, samples."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.frames import Times, Values
from dashapp.database.arrays import float8s, int8s, timestamptzs
from dashapp.database.pool import Row

#: How values that share a cell become one.
Merge = Literal["sum", "min", "max"]


class Cells(NamedTuple):
    places: NDArray[np.int64]
    times: Times
    values: Values
    samples: Values


def read(row: Row) -> Cells:
    """What `query.sql`'s ``frame`` answers; none where nothing was found."""
    numbers, times, values, samples = (cast(bytes, row[name] or b"") for name in ("numbers", "times", "values", "samples"))
    return Cells(int8s(numbers), timestamptzs(times), float8s(values), float8s(samples))


def merged(cells: Cells, step_ms: int, merge: Merge) -> Cells:
    """The cells, each once."""
    if not cells.times.size:
        return cells
    first = int(cells.times.min())
    columns = (cells.times - first) // step_ms
    width = int(columns.max()) + 1
    keys = cells.places * width + columns
    samples: Values = np.bincount(keys, cells.samples).astype(np.float64, copy=False)
    if merge == "sum":
        values: Values = np.bincount(keys, cells.values).astype(np.float64, copy=False)
    elif merge == "min":
        values = np.full(samples.size, np.inf)
        np.minimum.at(values, keys, cells.values)
    else:
        values = np.full(samples.size, -np.inf)
        np.maximum.at(values, keys, cells.values)
    held = np.flatnonzero(samples)
    return Cells(held // width, first + held % width * step_ms, values[held], samples[held])
