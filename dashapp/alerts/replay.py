"""Missed ticks, judged from history: the buckets of many rules in few statements, stepped through the same machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dashapp.alerts.failing import alone
from dashapp.alerts.judging import (
    TOGETHER,
    Group,
    Selected,
    by_kind,
    gone_ms,
    group_of,
    too_many,
)
from dashapp.alerts.machine import Policy, State, fresh
from dashapp.alerts.outcome import Outcome
from dashapp.alerts.timeline import Moved, Track, advance, moves, nothing, track
from dashapp.alerts.watched import Standing, Watched
from dashapp.contract.alerts import MOST_INSTANCES, RuleDefinition
from dashapp.contract.frames import Frame, Times, Values
from dashapp.contract.metrics import MetricQuery
from dashapp.errors import DashappError
from dashapp.metrics.clock import HOUR, SECOND, ceil_to, floor_to
from dashapp.metrics.latest import Buckets, buckets, tags_of
from dashapp.metrics.query import Reader

#: By group: starts of the buckets that have samples, Unix ms, ascending, and their values.
History = dict[Group, tuple[Times, Values]]

_CHUNK_MS = 6 * HOUR
#: Buckets that one statement may have for a rule with one series each.
_BUCKETS_A_STATEMENT = 500_000


def needed(step_ms: int, first: int, last: int) -> tuple[int, int]:
    """[start, end) of the buckets that ticks from first to last look at."""
    return ceil_to(first - gone_ms(step_ms), step_ms), floor_to(last - 5 * SECOND, step_ms)


def tracks(rule: RuleDefinition, history: History, known: Sequence[Group], ticks: NDArray[np.int64]) -> dict[Group, Track]:
    """What each instance of a rule sees at ticks: those known before and those that appear."""
    if not rule.group_by:
        found = history.get(TOGETHER)
        return {TOGETHER: track(rule, *found, ticks) if found else nothing(ticks)}
    nowhere = (np.empty(0, np.int64), np.empty(0))
    return {group: track(rule, *history.get(group, nowhere), ticks) for group in {**history, **dict.fromkeys(known)} if group} | {
        group: track(rule, *history[group], ticks) for group in history if not group
    }


def through(
    rule: RuleDefinition, history: History, standings: dict[Group, State], ticks: NDArray[np.int64]
) -> dict[Group, tuple[Track, list[Moved]]]:
    """Every move of every instance of a rule through ticks; `standings` are their states before the first."""
    policy, answers = Policy(rule.duration, rule.no_data), dict[Group, tuple[Track, list[Moved]]]()
    alive = np.zeros(ticks.size, np.int64)
    for group, seen in tracks(rule, history, list(standings), ticks).items():
        before = standings.get(group)
        steps = list(moves(policy, before, seen, always=not rule.group_by))
        answers[group] = (seen, steps)
        if rule.group_by:
            alive += _living(steps, before is not None, ticks.size)
    if rule.group_by and TOGETHER not in history:
        _placeholder(policy, answers, standings.get(TOGETHER), alive, ticks)
    return answers


def _living(steps: list[Moved], before: bool, count: int) -> NDArray[np.int64]:
    """By tick: 1 where the instance is judged, the tick at which it vanishes included."""
    lives, at = np.zeros(count, np.int64), 0
    for step in steps:
        if step.before is None:
            before, at = True, step.at
        if step.after is None:
            lives[at : step.at + 1] = 1
            before = False
    if before:
        lives[at:] = 1
    return lives


def _placeholder(
    policy: Policy, answers: dict[Group, tuple[Track, list[Moved]]], before: State | None, alive: NDArray[np.int64],
    ticks: NDArray[np.int64],
) -> None:  # fmt: skip
    """The instance without tags, which a rule that groups has as long as it finds no series."""
    blank, steps, state = nothing(ticks), list[Moved](), before
    for at in range(ticks.size):
        tick = int(ticks[at])
        if alive[at]:
            if state is not None:
                after, change = advance(policy, state, tick, "nodata", True)
                steps.append(Moved(at, state, after, change))
                state = None
            continue
        start = state or fresh(tick, "nodata")
        after, change = advance(policy, start, tick, "nodata", False)
        if state is None or after != state or change is not None:
            steps.append(Moved(at, state, after, change))
        state = after
    if steps:
        answers[TOGETHER] = (blank, steps)


async def replay(
    reader: Reader, rules: list[Watched], ticks: list[int], outcome: Outcome, renew: Callable[[], Awaitable[None]]
) -> None:
    """Judge all rules at ticks gone by; what comes of it is gathered in `outcome`.

    Raises:
        Unavailable: the database can't be reached.
        LeaseLost: another process has taken over.
    """
    begin = 0
    while begin < len(ticks):
        end = begin + 1
        while end < len(ticks) and ticks[end] - ticks[begin] < _CHUNK_MS:
            end += 1
        chunk = np.array(ticks[begin:end], np.int64)
        definitions = [watched.rule for watched in rules]
        for (step_ms, function), numbers in by_kind(definitions).items():
            start, stop = needed(step_ms, int(chunk[0]), int(chunk[-1]))
            at_once = max(1, _BUCKETS_A_STATEMENT // max(1, (stop - start) // step_ms))
            for at in range(0, len(numbers), at_once):
                part = [rules[number] for number in numbers[at : at + at_once]]
                answers = await histories(reader, [watched.rule for watched in part], step_ms, start, stop, function=function)
                await asyncio.to_thread(_step_through, part, answers, chunk, outcome)
                await renew()
        begin = end


async def histories(
    reader: Reader, rules: Sequence[RuleDefinition], step_ms: int, start: int, end: int, *, function: bool
) -> list[History | DashappError]:
    """By rule: all its buckets of [start, end)."""
    if function:
        return await _by_reader(reader, rules, step_ms, start, end)

    async def ask(part: Sequence[RuleDefinition]) -> list[History | DashappError]:
        selected = Selected.of(part)
        async with reader.database.connection() as connection:
            found = await buckets(connection, selected.selections, step_ms, start, end)
        return await asyncio.to_thread(_split, part, selected, found)

    return list(await alone(rules, ask))


def _split(rules: Sequence[RuleDefinition], selected: Selected, found: Buckets) -> list[History | DashappError]:
    spans = np.searchsorted(found.selections, np.arange(len(selected.selections) + 1))
    edges = np.searchsorted(found.groups, np.arange(len(found.labels) + 1))
    columns = {aggregation: found.values(aggregation) for aggregation in {rule.aggregation for rule in rules}}
    answers: list[History | DashappError] = []
    for rule, number in zip(rules, selected.index, strict=True):
        if (instances := int(spans[number + 1] - spans[number])) > MOST_INSTANCES:
            answers.append(too_many(instances))
            continue
        column, history = columns[rule.aggregation], History()
        for group in range(spans[number], spans[number + 1]):
            part = slice(edges[group], edges[group + 1])
            history[group_of(tags_of(selected.selections[number], found.labels[group]))] = (found.times[part], column[part])
        answers.append(history)
    return answers


async def _by_reader(
    reader: Reader, rules: Sequence[RuleDefinition], step_ms: int, start: int, end: int
) -> list[History | DashappError]:
    selected = Selected.of(rules)
    frames = await reader.frames([MetricQuery.over(one, start, end, step=step_ms) for one in selected.selections])
    split = [frame if isinstance(frame, DashappError) else history_of(frame) for frame in frames]
    return [split[number] for number in selected.index]


def history_of(frame: Frame) -> History:
    """A frame's series, without the buckets that have no sample."""
    history = History()
    for series in frame.series:
        held = ~np.isnan(series.values)
        history[group_of(series.tags)] = (frame.times[held], series.values[held])
    return history


def _step_through(
    rules: list[Watched], answers: Sequence[History | DashappError], ticks: NDArray[np.int64], outcome: Outcome
) -> None:
    for watched, answer in zip(rules, answers, strict=True):
        due = ticks[ticks >= watched.effective_at]
        if not due.size:
            continue
        error = str(answer) if isinstance(answer, DashappError) else None
        if error != outcome.errors.get(watched.id, watched.error):
            outcome.errors[watched.id] = error
        standings = outcome.standings(watched)
        states = {group: standing.state for group, standing in standings.items()}
        if isinstance(answer, DashappError):
            passed = {
                group: (nothing(due, "error"), list(moves(watched.policy, state, nothing(due, "error"), always=True)))
                for group, state in states.items()
            }
        else:
            passed = through(watched.rule, answer, states, due)
        _gather(watched, standings, passed, outcome)


def _gather(
    watched: Watched, standings: dict[Group, Standing], passed: dict[Group, tuple[Track, list[Moved]]], outcome: Outcome
) -> None:
    for group, (seen, steps) in passed.items():
        before = standings.get(group)
        for step in steps:
            value = seen.values[step.at]
            outcome.move(
                watched, group, before, step.after, step.change, int(seen.ticks[step.at]), None if np.isnan(value) else float(value)
            )
            moved = outcome.instances[watched.id][group]
            before = None if moved is None else moved.standing
