"""The truth that the store is measured against: raw samples in a dictionary, aggregated by numpy in plain terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from dashapp.contract.frames import Frame
from dashapp.contract.metrics import Point

Tags = tuple[tuple[str, str], ...]


class ManualClock:
    """A clock that stands until it is moved, in Unix ms."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Model:
    """Samples of one metric by (tags, time); a sample sent again replaces."""

    samples: dict[tuple[Tags, int], float] = field(default_factory=dict)

    def write(self, points: Iterable[Point]) -> None:
        for point in points:
            assert point.timestamp is not None
            self.samples[(tuple(sorted(point.tags.items())), point.timestamp)] = point.value

    def buckets(self, start: int, end: int, step: int, group_by: tuple[str, ...] = ()) -> dict[tuple[Tags, int], list[float]]:
        """The samples of [start, end) by (group, bucket)."""
        found: dict[tuple[Tags, int], list[float]] = {}
        for (tags, time), value in self.samples.items():
            if start <= time < end:
                group = tuple((key, text) for key, text in tags if key in group_by)
                found.setdefault((group, time // step * step), []).append(value)
        return found


AGGREGATIONS = {
    "avg": lambda values: float(np.sum(values) / len(values)),
    "sum": lambda values: float(np.sum(values)),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
}


def assert_frame(frame: Frame, model: Model, aggregation: str, start: int, end: int, group_by: tuple[str, ...] = ()) -> None:
    """The frame says what the samples of [start, end) say: averages and sums to 1e-9 · Σ|v|, the rest to the bit."""
    truth = model.buckets(start, end, frame.step_ms, group_by)
    seen = {}
    for series in frame.series:
        group = tuple(sorted(series.tags.items()))
        for time, value, count in zip(frame.times.tolist(), series.values.tolist(), series.counts.tolist(), strict=True):
            assert np.isnan(value) == (count == 0)
            if count:
                seen[(group, time)] = (value, count)
    assert seen.keys() == truth.keys()
    assert np.all(np.diff(frame.times) > 0)
    for key, values in truth.items():
        value, count = seen[key]
        assert count == len(values)
        expected = AGGREGATIONS[aggregation](values)
        if aggregation in ("avg", "sum"):
            scale = sum(abs(part) for part in values) / (len(values) if aggregation == "avg" else 1)
            assert abs(value - expected) <= 1e-9 * scale
        else:
            assert value == expected
