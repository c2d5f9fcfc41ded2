"""A query's sliding window of buckets, kept whole in memory and brought up to date by re-reading its newest end."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import numpy as np

from dashapp.contract.frames import Frame, FrameMeta, align
from dashapp.contract.metrics import MetricQuery, Selection
from dashapp.errors import DashappError

#: Ingest reports what it changes before now − 2 min as history; a commit may take a while longer than that decision, so
#: each tick reads half a minute more than those two minutes again.
REREAD_MS = 150_000


@dataclass(frozen=True)
class LiveQuery:
    """What viewers share: a selection over the last `span_ms`, in buckets of `step_ms`."""

    selection: Selection
    span_ms: int
    step_ms: int

    @property
    def key(self) -> Hashable:
        return (self.selection.model_dump_json(), self.span_ms, self.step_ms)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveQuery) and self.key == other.key

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """[start, end) of the window at `now_ms`: whole buckets, up to the present."""
        start = (now_ms - self.span_ms) // self.step_ms * self.step_ms
        return start, now_ms + 1

    def whole(self, now_ms: int) -> MetricQuery:
        """The query that fills the window."""
        return MetricQuery.over(self.selection, *self.bounds(now_ms), step=self.step_ms)

    def newest(self, now_ms: int) -> MetricQuery:
        """The query that reads the window's newest end again."""
        start, end = self.bounds(now_ms)
        return MetricQuery.over(self.selection, max(start, self.cut(now_ms)), end, step=self.step_ms)

    def cut(self, now_ms: int) -> int:
        """Where the re-read part begins: a bucket's border."""
        return (now_ms - REREAD_MS) // self.step_ms * self.step_ms


@dataclass(frozen=True)
class Window:
    """A query's answer at one moment. Never changed in place: viewers may hold an older one."""

    #: None where no answer has come yet.
    frame: Frame | None = None
    #: Unix ms of the last good answer.
    as_of_ms: int = 0
    #: What went wrong since; None while answers are good.
    error: DashappError | None = None
    #: The metric's generation that the whole window was read under.
    generation: int = -1
    #: Goes up with each change, so that viewers skip what they have.
    version: int = field(default=0)

    def failed(self, error: DashappError) -> Window:
        return replace(self, error=error, version=self.version + 1)

    def filled(self, frame: Frame, now_ms: int, generation: int) -> Window:
        """Read anew as a whole."""
        return Window(frame, now_ms, None, generation, self.version + 1)

    def advanced(self, query: LiveQuery, newest: Frame, now_ms: int) -> Window:
        """With the newest end replaced by what was just read, and what slid out dropped."""
        assert self.frame is not None
        start, _ = query.bounds(now_ms)
        merged = spliced(self.frame, newest, start, query.cut(now_ms))
        return Window(merged, now_ms, None, self.generation, self.version + 1)


def spliced(old: Frame, new: Frame, start_ms: int, cut_ms: int) -> Frame:
    """`old` over [start, cut) followed by `new` from `cut` on, series by series."""
    keep = slice(*np.searchsorted(old.times, [start_ms, cut_ms]))
    columns = []
    newer = {tuple(sorted(series.tags.items())): series for series in new.series}
    for series in old.series:
        later = newer.pop(tuple(sorted(series.tags.items())), None)
        times = [old.times[keep]] + ([new.times] if later else [])
        values = [series.values[keep]] + ([later.values] if later else [])
        counts = [series.counts[keep]] + ([later.counts] if later else [])
        columns.append((series.tags, np.concatenate(times), np.concatenate(values), np.concatenate(counts)))
    columns += [(series.tags, new.times, series.values, series.counts) for series in newer.values()]
    # A series whose samples have all slid out of the window is gone from it.
    columns = [column for column in columns if not np.isnan(column[2]).all()]
    meta = FrameMeta(
        old.meta.table, old.meta.resolution, old.meta.step_ms,
        covered_start_ms=max(old.meta.covered_start_ms, start_ms), covered_end_ms=new.meta.covered_end_ms,
        partial=old.meta.partial and old.meta.covered_start_ms > start_ms,
    )  # fmt: skip
    return align(columns, meta)
