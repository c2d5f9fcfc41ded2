"""An instance over many ticks: the machine of `dashapp.alerts.machine` stepped through columns, for replays and backtests.

Everything is vectorised but the steps that change something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashapp.alerts.judging import SETTLE_MS, gone_ms, stale_ms
from dashapp.alerts.machine import Change, Policy, Seen, State, fresh, steady, step
from dashapp.contract.alerts import TOLERANCE, RuleDefinition
from dashapp.contract.frames import Times, Values

SEEN: tuple[Seen, ...] = ("fails", "holds", "nodata", "error")
_NODATA, _ERROR = SEEN.index("nodata"), SEEN.index("error")


@dataclass(frozen=True)
class Track:
    """What an instance sees at each tick; arrays of shape (ticks,)."""

    #: Unix ms, ascending.
    ticks: NDArray[np.int64]
    #: Index into `SEEN`.
    seen: NDArray[np.int8]
    #: The value that was judged, NaN where there is none.
    values: Values
    #: Whether the series is in no bucket of the last hour.
    gone: NDArray[np.bool_]


def track(rule: RuleDefinition, times: Times, values: Values, ticks: NDArray[np.int64]) -> Track:
    """What a series shows at ticks. `times` are starts of its buckets that have samples, ascending, with their `values`."""
    newest_start = (ticks - SETTLE_MS) // rule.step * rule.step - rule.step
    at = np.searchsorted(times, newest_start, side="right") - 1
    start = np.where(at >= 0, times[np.maximum(at, 0)] if times.size else 0, np.iinfo(np.int64).min // 2)
    known = start >= ticks - stale_ms(rule.step)
    judged = np.where(known, values[np.maximum(at, 0)] if times.size else 0.0, np.nan)
    seen = np.where(known, _fulfilled(rule, judged), _NODATA).astype(np.int8)
    return Track(ticks, seen, judged, start < ticks - gone_ms(rule.step))


def _fulfilled(rule: RuleDefinition, values: Values) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        match rule.condition:
            case "gt":
                return values > rule.threshold
            case "gte":
                return values >= rule.threshold
            case "lt":
                return values < rule.threshold
            case "lte":
                return values <= rule.threshold
            case "eq":
                return np.abs(values - rule.threshold) <= TOLERANCE
            case "ne":
                return np.abs(values - rule.threshold) > TOLERANCE


def nothing(ticks: NDArray[np.int64], seen: Seen = "nodata") -> Track:
    """What an instance sees of which there is nothing to see."""
    blank = np.full(ticks.size, np.nan)
    return Track(ticks, np.full(ticks.size, SEEN.index(seen), np.int8), blank, np.zeros(ticks.size, np.bool_))


def advance(policy: Policy, before: State, tick: int, seen: Seen, gone: bool) -> tuple[State | None, Change | None]:
    """One step of an instance that may also vanish: None where it is gone."""
    if gone:
        return None, Change("resolved", "gone") if before.state == "firing" else None
    return step(policy, before, tick, seen)


@dataclass(frozen=True)
class Moved:
    """An instance that changed at a tick."""

    #: Index of the tick.
    at: int
    before: State | None
    #: None where it is gone.
    after: State | None
    change: Change | None


def moves(policy: Policy, state: State | None, seen: Track, *, always: bool) -> Iterator[Moved]:
    """The changes of an instance through a track, in order.

    `always`: it exists whether or not there is a value, and never vanishes. Else it comes into being with its first value.
    """
    count = seen.ticks.size
    codes, gone = seen.seen, np.zeros(count, np.bool_) if always else seen.gone
    # Where anything else is seen than at the tick before; what is steady stays so until then.
    turns = np.flatnonzero((np.diff(codes) != 0) | (np.diff(gone) != 0)) + 1
    births = np.flatnonzero(codes < _NODATA)
    at = 0
    while at < count:
        if state is None:
            if not always:
                later = births[np.searchsorted(births, at) :]
                if not later.size:
                    return
                at = int(later[0])
            before: State | None = None
            start = fresh(int(seen.ticks[at]), SEEN[codes[at]])
        else:
            before = start = state
            if not gone[at] and steady(policy, state, SEEN[codes[at]]):
                following = np.searchsorted(turns, at, side="right")
                at = int(turns[following]) if following < turns.size else count
                continue
        state, change = advance(policy, start, int(seen.ticks[at]), SEEN[codes[at]], bool(gone[at]))
        yield Moved(at, before, state, change)
        at += 1
