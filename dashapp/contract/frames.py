"""`Frame`: what every question about numbers is answered with. Columns, never an object per point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.durations import format_ms

Times = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One line of a frame."""

    #: The tags that tell it from the others: those of ``group_by``; empty when all series are one.
    tags: dict[str, str]
    #: float64, shape (n,); NaN where the bucket has no sample.
    values: Values
    #: float64, shape (n,): samples a bucket; 0 where there is none.
    counts: Values


@dataclass(frozen=True)
class FrameMeta:
    """Where a frame's numbers come from and how far they can be trusted."""

    #: The relations that answered, coarsest first, joined with ``+``.
    table: str
    #: Bucket width of the coarsest relation used: ``raw``, ``1m`` or ``1h``.
    resolution: str
    #: Bucket width in ms; wider than asked where only a coarser level still holds the range.
    step_ms: int
    #: The part of the range that is answered for, Unix ms.
    covered_start_ms: int
    covered_end_ms: int
    #: True where the answer covers less than was asked.
    partial: bool = False
    cached: bool = False

    def wire(self) -> dict[str, object]:
        return {
            "table": self.table, "resolution": self.resolution, "step": format_ms(self.step_ms), "cached": self.cached,
            "coveredStart": self.covered_start_ms, "coveredEnd": self.covered_end_ms, "partial": self.partial,
        }  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Bucketed samples of one query."""

    #: Bucket starts, Unix ms, ascending, multiples of the step; int64, shape (n,).
    times: Times
    series: list[Series] = field(default_factory=list)
    meta: FrameMeta = field(default_factory=lambda: FrameMeta("", "raw", 1000, 0, 0))

    @property
    def empty(self) -> bool:
        return self.times.size == 0

    @property
    def step_ms(self) -> int:
        return self.meta.step_ms


def assemble(
    tags: Sequence[dict[str, str]], places: NDArray[np.int64], times: Times, values: Values, counts: Values, meta: FrameMeta
) -> Frame:
    """A frame of cells in any order: each has the place of its series in `tags`, its time, its value and its samples.

    The arrays are of shape (cells,). Series share the times at which any of them has a sample; those without any are left out.
    """
    if not times.size:
        return Frame(np.empty(0, np.int64), [], meta)
    # Times are multiples of the step, so that they are counted instead of sorted.
    first = int(times.min())
    buckets = (times - first) // meta.step_ms
    held = np.zeros(int(buckets.max()) + 1, np.bool_)
    held[buckets] = True
    columns = np.cumsum(held)[buckets] - 1
    shape = len(tags), int(np.count_nonzero(held))
    cells, samples = np.full(shape, np.nan), np.zeros(shape)
    cells[places, columns], samples[places, columns] = values, counts
    shown = np.zeros(len(tags), np.bool_)
    shown[places] = True
    series = [Series(tags[place], cells[place], samples[place]) for place in np.flatnonzero(shown).tolist()]
    return Frame(first + np.flatnonzero(held) * meta.step_ms, series, meta)


def align(columns: list[tuple[dict[str, str], Times, Values, Values]], meta: FrameMeta) -> Frame:
    """A frame of series that each came with their own times, put on the union of those times."""
    if not columns:
        return Frame(np.empty(0, np.int64), [], meta)
    times = np.unique(np.concatenate([column[1] for column in columns]))
    series = []
    for tags, own, values, counts in columns:
        at = np.searchsorted(times, own)
        row, samples = np.full(times.size, np.nan), np.zeros(times.size)
        row[at], samples[at] = values, counts
        series.append(Series(tags, row, samples))
    return Frame(times, series, meta)
