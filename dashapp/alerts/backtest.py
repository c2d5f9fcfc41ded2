"""A rule replayed over stored history: when it would have been pending and firing, by the same machine as live ticks.

It agrees with live judging to the tick for points that were committed before their tick.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from dashapp.alerts.judging import SETTLE_MS, gone_ms, group_of, stale_ms
from dashapp.alerts.message import lasted
from dashapp.alerts.replay import History, history_of, through
from dashapp.alerts.ticks import Ticks
from dashapp.alerts.timeline import Moved, Track
from dashapp.contract.alerts import Backtest, BacktestRequest, BacktestSeries, Period, RuleDefinition
from dashapp.contract.durations import format_ms
from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.errors import ValidationFailed
from dashapp.metrics.clock import DAY, ceil_to, floor_to
from dashapp.metrics.query import Reader

#: The longest range: ticks are stepped through one by one where something changes.
LONGEST_MS = 92 * DAY
#: Series that are answered to draw, and periods.
_MOST_SERIES, _MOST_PERIODS = 20, 2_000
#: Instances times ticks that one backtest goes through.
_MOST_STEPS = 60_000_000


async def backtest(reader: Reader, ticks: Ticks, request: BacktestRequest) -> Backtest:
    """What the rule would have done at the ticks in [start, end).

    Raises:
        ValidationFailed: the range is too long, or has too many series.
        StatementTimeout: the database took too long.
        Unavailable: the database can't be reached.
    """
    rule, interval = request.rule, ticks.interval_ms
    start, end = to_ms(request.start), min(to_ms(request.end), await ticks.now())
    if end - start > LONGEST_MS:
        raise ValidationFailed("start: a backtest reaches over at most 92 days.", details={"start": "at most 92 days before end"})
    if start >= end:
        raise ValidationFailed("start: must be in the past.", details={"start": "must be in the past"})
    # Everything before start only serves to know how things stood then; an hour more, to know which series there were.
    first = floor_to(start - rule.duration - stale_ms(rule.step), interval)
    needed = ceil_to(max(first - gone_ms(rule.step), 0), rule.step)
    frame = await reader.frame(MetricQuery.over(rule.selection, needed, max(end, needed + 1), step=rule.step))
    return await asyncio.to_thread(_replayed, rule, request, frame, first, start, end, interval)


def _replayed(
    rule: RuleDefinition, request: BacktestRequest, frame: Frame, first: int, start: int, end: int, interval: int
) -> Backtest:
    # Where only coarser rows are left, the frame's step is wider than the rule's: these buckets are judged then.
    judged = rule.model_copy(update={"step": frame.step_ms}) if frame.step_ms != rule.step else rule
    held = frame.meta.covered_start_ms
    begin = max(first, ceil_to(held + SETTLE_MS, interval))
    at = np.arange(begin, end, interval, dtype=np.int64)
    if at.size * max(1, len(frame.series)) > _MOST_STEPS:
        raise ValidationFailed(
            f"start: {len(frame.series)} series over this range are more than a backtest goes through; take a shorter range.",
            details={"start": "take a shorter range, or filter by tags"},
        )
    history = history_of(frame)
    moved = through(judged, history, {}, at)
    periods = [period for group, (track, steps) in moved.items() for period in _periods(dict(group), track, steps, start)]
    firing = [period for period in periods if period.state == "firing"]
    fired = sum(to_ms(period.start) >= start for period in firing)
    seconds = sum((to_ms(period.end or from_ms(end)) - max(to_ms(period.start), start)) / 1000 for period in firing)
    judged_from = _judged_from(judged, history, frame, first, start, end)
    times, series, step = _drawn(frame, moved, start, end, request.max_points)
    return Backtest(
        start=from_ms(start), end=from_ms(end), judged_from=None if judged_from is None else from_ms(judged_from), fired=fired,
        firing_seconds=seconds, summary=summary(fired, seconds, end - start),
        periods=sorted(periods, key=lambda one: one.start)[:_MOST_PERIODS],
        truncated=len(periods) > _MOST_PERIODS or len(frame.series) > len(series), times=times, series=series,
        step=format_ms(step), threshold=rule.threshold,
    )  # fmt: skip


def summary(fired: int, seconds: float, span_ms: int) -> str:
    """``fired 3 times in 7 days, 42 minutes in total``."""
    span = lasted(timedelta(milliseconds=span_ms))
    if not fired and not seconds:
        return f"would not have fired in {span}"
    times = "once" if fired == 1 else f"{fired} times"
    return f"fired {times} in {span}, {lasted(timedelta(seconds=round(seconds)))} in total"


def _judged_from(rule: RuleDefinition, history: History, frame: Frame, first: int, start: int, end: int) -> int | None:
    """From where on what is held suffices: the warm-up lies in what is held, and there is something."""
    if not history:
        return None
    warm = frame.meta.covered_start_ms + rule.duration + stale_ms(rule.step)
    began = min(int(times[0]) for times, _ in history.values() if times.size)
    from_held = start if frame.meta.covered_start_ms <= first else max(start, warm)
    found = max(from_held, began + rule.step + SETTLE_MS) if began > first else from_held
    return found if found < end else None


def _periods(tags: dict[str, str], track: Track, steps: Sequence[Moved], start: int) -> list[Period]:
    """Pending and firing of an instance as far as they reach beyond start."""
    found: list[Period] = []
    open_: Period | None = None
    for step in steps:
        tick = int(track.ticks[step.at])
        state = step.after.state if step.after is not None else "ok"
        if open_ is not None and (state != open_.state or step.change is not None):
            reason = step.change.reason if step.change is not None else None
            found.append(open_.model_copy(update={"end": from_ms(tick), "reason": reason}))
            open_ = None
        if state != "ok" and open_ is None:
            value = float(track.values[step.at])
            open_ = Period(tags=tags, state=state, start=from_ms(tick), end=None, value=None if math.isnan(value) else value)
    if open_ is not None:
        found.append(open_)
    return [one for one in found if one.end is None or to_ms(one.end) > start]


def _drawn(
    frame: Frame, moved: dict[tuple[tuple[str, str], ...], tuple[Track, list[Moved]]], start: int, end: int, max_points: int
) -> tuple[list[int], list[BacktestSeries], int]:
    """Some of the series, those that did something first, thinned to what can be drawn: the extreme of each run of buckets."""
    inside = (frame.times >= floor_to(start, frame.step_ms)) & (frame.times < end)
    times = frame.times[inside]
    busy = {group: len(steps) for group, (_, steps) in moved.items()}
    chosen = sorted(frame.series, key=lambda one: -busy.get(group_of(one.tags), 0))[:_MOST_SERIES]
    width = frame.step_ms * max(1, math.ceil((end - start) / frame.step_ms / max_points))
    runs = times // width * width
    starts, edges = np.unique(runs, return_index=True)
    series = [BacktestSeries(tags=one.tags, values=_peaks(one.values[inside], edges)) for one in chosen]
    return starts.tolist(), series, width


def _peaks(values: NDArray[np.float64], edges: NDArray[np.int64]) -> list[float | None]:
    """Of each run the value farthest from the whole's mean, so that what crosses a threshold is drawn."""
    if not values.size:
        return []
    if edges.size == values.size:
        picked = values
    else:
        known = values[~np.isnan(values)]
        middle = float(known.mean()) if known.size else 0.0
        high = np.fmax.reduceat(values, edges)
        low = np.fmin.reduceat(values, edges)
        picked = np.where(np.abs(high - middle) >= np.abs(low - middle), high, low)
    return [None if math.isnan(value) else value for value in picked.tolist()]
