"""Points as columns: what a request wants written, and several requests merged into one set of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.durations import format_ms
from dashapp.contract.metrics import Point
from dashapp.errors import ValidationFailed
from dashapp.metrics.clock import AHEAD_MS, DAY, HISTORY_MS, MINUTE
from dashapp.metrics.series import Key, series_key

#: With retention ``forever``, how far back points are taken.
LONGEST_BACK_MS = 3653 * DAY


class PointsRefused(ValidationFailed):
    """Points of a batch can't be stored: those where `bad`, shape (n,), is true, all for one `reason`."""

    def __init__(self, bad: NDArray[np.bool_], reason: str, message: str, *, details: Mapping[str, str]) -> None:
        super().__init__(message, details=details)
        self.bad, self.reason = bad, reason


@dataclass(frozen=True)
class Batch:
    """One request's points. `index` tells each point's key; `index`, `times` (Unix ms) and `values` have shape (n,)."""

    keys: list[Key]
    index: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.times.size)

    @classmethod
    def of(cls, points: Sequence[Point], now_ms: int) -> Batch:
        """A point without a timestamp gets `now_ms`."""
        seen: dict[Key, int] = {}
        index = [seen.setdefault(series_key(point.name, point.tags), len(seen)) for point in points]
        times = [now_ms if point.timestamp is None else point.timestamp for point in points]
        return cls(
            list(seen),
            np.array(index, np.int64),
            np.array(times, np.int64),
            np.array([point.value for point in points], np.float64),
        )

    def part(self, chosen: NDArray[np.bool_] | slice) -> Batch:
        """Some of the points, with the keys that these need."""
        used, index = np.unique(self.index[chosen], return_inverse=True)
        return Batch([self.keys[place] for place in used.tolist()], index, self.times[chosen], self.values[chosen])

    def check_times(self, now_ms: int, retention: timedelta | None) -> None:
        """
        Raises:
            PointsRefused: points are older than what is kept, or too far ahead; each is named.
        """
        kept = LONGEST_BACK_MS if retention is None else retention // timedelta(milliseconds=1)
        self.refuse(self.times < now_ms - kept, "too_old", f"is older than {format_ms(kept)}, for which samples are kept")
        self.refuse(self.times > now_ms + AHEAD_MS, "too_far_ahead", "is more than 1 hour ahead of the server's clock")

    def check_horizon(self, horizon_ms: int) -> None:
        """
        Raises:
            PointsRefused: points lie where samples have been dropped; each is named.
        """
        self.refuse(self.times < horizon_ms, "too_old", "is older than the samples that are still stored")

    def refuse(self, bad: NDArray[np.bool_], reason: str, why: str) -> None:
        """
        Raises:
            PointsRefused: `bad`, shape (n,), is true somewhere.
        """
        places = np.flatnonzero(bad).tolist()
        if places:
            more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
            raise PointsRefused(
                bad, reason, f"points.{places[0]}.timestamp: {why}{more}.",
                details={f"points.{place}.timestamp": why for place in places},
            )  # fmt: skip

    def changed_history(self, now_ms: int) -> set[str]:
        """Names of the metrics that get samples in minutes older than two minutes."""
        late = np.unique(self.index[self.times // MINUTE * MINUTE < now_ms - HISTORY_MS])
        return {self.keys[place][0] for place in late.tolist()}


@dataclass(frozen=True)
class Rows:
    """What is written: one row a (series, time), in that order; arrays of shape (n,)."""

    series: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, batches: Sequence[Batch], ids: Mapping[Key, int]) -> Rows:
        """The rows of several batches. Of one key, the last to arrive wins."""
        series = np.concatenate([np.array([ids[key] for key in batch.keys], np.int64)[batch.index] for batch in batches])
        times = np.concatenate([batch.times for batch in batches])
        values = np.concatenate([batch.values for batch in batches])
        # A stable sort: rows of one key stay in the order of their arrival.
        order = np.lexsort((times, series))
        series, times, values = series[order], times[order], values[order]
        last = np.ones(series.size, np.bool_)
        last[:-1] = (series[1:] != series[:-1]) | (times[1:] != times[:-1])
        return cls(series[last], times[last], values[last])
