"""What rules see at a tick: the newest closed bucket of each of their series, beside the threshold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dashapp.alerts.failing import alone
from dashapp.alerts.machine import Seen
from dashapp.contract.alerts import MOST_INSTANCES, TOLERANCE, Condition, RuleDefinition
from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery, Selection
from dashapp.errors import DashappError
from dashapp.metrics.clock import HOUR, MINUTE, SECOND, ceil_to, floor_to
from dashapp.metrics.latest import Buckets, buckets, tags_of
from dashapp.metrics.query import Reader

#: A bucket is judged so long after its end, so that points on their way are in it.
SETTLE_MS = 5 * SECOND
#: Older buckets say nothing about now.
STALE_MS = 5 * MINUTE

#: A group's tags, in one form for each combination.
Group = tuple[tuple[str, str], ...]


def group_of(tags: dict[str, str]) -> Group:
    return tuple(sorted(tags.items()))


def stale_ms(step_ms: int) -> int:
    """How old a bucket's start may be. Of steps too wide for `STALE_MS`, the newest closed bucket alone counts."""
    return max(STALE_MS, 2 * step_ms + SETTLE_MS)


def gone_ms(step_ms: int) -> int:
    """An instance without a bucket for so long is gone."""
    return max(HOUR, stale_ms(step_ms))


def window(step_ms: int, tick: int) -> tuple[int, int]:
    """[start, end) of the closed buckets that may be judged at a tick."""
    return ceil_to(tick - stale_ms(step_ms), step_ms), floor_to(tick - SETTLE_MS, step_ms)


def holds(condition: Condition, threshold: float, value: float) -> bool:
    """Whether a value fulfils the condition."""
    match condition:
        case "gt":
            return value > threshold
        case "gte":
            return value >= threshold
        case "lt":
            return value < threshold
        case "lte":
            return value <= threshold
        case "eq":
            return abs(value - threshold) <= TOLERANCE
        case "ne":
            return abs(value - threshold) > TOLERANCE


def seen_of(rule: RuleDefinition, value: float | None) -> Seen:
    if value is None:
        return "nodata"
    return "holds" if holds(rule.condition, rule.threshold, value) else "fails"


#: By group: the newest value.
Values = dict[Group, float]
#: The group of a rule that keeps its series together, and of one that has found none.
TOGETHER: Group = ()


def seen_by_group(
    rule: RuleDefinition, values: Values | DashappError, known: Collection[Group]
) -> dict[Group, tuple[Seen, float | None]]:
    """What each instance of a rule sees: those known before, those that are new, and one without tags where there is none.

    The one without tags is left out again once a rule that groups has found series.
    """
    if isinstance(values, DashappError):
        return dict.fromkeys(known or (TOGETHER,), ("error", None))
    if not rule.group_by:
        return {TOGETHER: (seen_of(rule, values.get(TOGETHER)), values.get(TOGETHER))}
    groups = [*values, *(group for group in known if group not in values)]
    if len(groups) > 1 and TOGETHER in groups and TOGETHER not in values:
        groups.remove(TOGETHER)
    return {group: (seen_of(rule, values.get(group)), values.get(group)) for group in groups or (TOGETHER,)}


@dataclass
class Selected:
    """Rules' selections without repetition: many rules ask the same."""

    selections: list[Selection] = field(default_factory=list)
    #: By rule, in the order given: the index of its selection.
    index: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, rules: Iterable[RuleDefinition]) -> Selected:
        made, known = cls(), dict[tuple[object, ...], int]()
        for rule in rules:
            key: tuple[object, ...] = (rule.query, json.dumps(rule.tags, sort_keys=True), tuple(rule.group_by))
            if rule.function is not None:
                key += (rule.function, rule.aggregation)
            number = known.setdefault(key, len(made.selections))
            if number == len(made.selections):
                made.selections.append(rule.selection)
            made.index.append(number)
        return made


def too_many(instances: int) -> DashappError:
    return DashappError(
        f"the rule has {instances} instances, and at most {MOST_INSTANCES} are judged; filter by tags or group by fewer."
    )


def newest_values(rules: Sequence[RuleDefinition], selected: Selected, found: Buckets) -> list[Values | DashappError]:
    """By rule: the value of each group that has one. `found` holds one bucket a group."""
    spans = np.searchsorted(found.selections, np.arange(len(selected.selections) + 1))
    groups: list[Group | None] = [None] * len(found.labels)
    columns = {aggregation: found.values(aggregation).tolist() for aggregation in {rule.aggregation for rule in rules}}
    answers: list[Values | DashappError] = []
    for rule, number in zip(rules, selected.index, strict=True):
        if (instances := int(spans[number + 1] - spans[number])) > MOST_INSTANCES:
            answers.append(too_many(instances))
            continue
        values, column = Values(), columns[rule.aggregation]
        for at in range(spans[number], spans[number + 1]):
            group = groups[at]
            if group is None:
                group = groups[at] = group_of(tags_of(selected.selections[number], found.labels[at]))
            values[group] = column[at]
        answers.append(values)
    return answers


async def values_at(reader: Reader, rules: Sequence[RuleDefinition], tick: int) -> list[Values | DashappError]:
    """By rule: what it sees at a tick, one statement for each distinct step. A failing statement is halved until the rule at
    fault stands alone with its error.

    Raises:
        Unavailable: the database can't be reached.
    """
    answers: list[Values | DashappError] = [Values()] * len(rules)
    for (step_ms, function), numbers in by_kind(rules).items():
        start, end = window(step_ms, tick)
        asked = [rules[number] for number in numbers]
        found = await (_functions if function else _newest)(reader, asked, step_ms, start, end)
        for number, answer in zip(numbers, found, strict=True):
            answers[number] = answer
    return answers


async def present(reader: Reader, rules: Sequence[RuleDefinition], tick: int) -> list[Values | DashappError]:
    """By rule: the groups that have a bucket of the last hour. The values are of no use."""
    answers: list[Values | DashappError] = [Values()] * len(rules)
    for (step_ms, _), numbers in by_kind(rules).items():
        start, end = ceil_to(tick - gone_ms(step_ms), step_ms), floor_to(tick - SETTLE_MS, step_ms)
        found = await _newest(reader, [rules[number] for number in numbers], step_ms, start, end)
        for number, answer in zip(numbers, found, strict=True):
            answers[number] = answer
    return answers


def by_kind(rules: Sequence[RuleDefinition]) -> dict[tuple[int, bool], list[int]]:
    """Indices of rules by what one statement can answer: the step, and whether there is a function."""
    kinds: dict[tuple[int, bool], list[int]] = {}
    for number, rule in enumerate(rules):
        kinds.setdefault((rule.step, rule.function is not None), []).append(number)
    return kinds


async def _newest(
    reader: Reader, rules: Sequence[RuleDefinition], step_ms: int, start: int, end: int
) -> Sequence[Values | DashappError]:
    async def ask(part: Sequence[RuleDefinition]) -> list[Values | DashappError]:
        selected = Selected.of(part)
        async with reader.database.connection() as connection:
            found = await buckets(connection, selected.selections, step_ms, start, end, newest=True)
        return await asyncio.to_thread(newest_values, part, selected, found)

    return await alone(rules, ask)


async def _functions(
    reader: Reader, rules: Sequence[RuleDefinition], step_ms: int, start: int, end: int
) -> Sequence[Values | DashappError]:
    """Rules with a function, a query for each distinct selection."""
    selected = Selected.of(rules)
    frames = await reader.frames([MetricQuery.over(one, start, end, step=step_ms) for one in selected.selections])
    values = [frame if isinstance(frame, DashappError) else _last_of(frame) for frame in frames]
    return [values[number] for number in selected.index]


def _last_of(frame: Frame) -> Values | DashappError:
    if len(frame.series) > MOST_INSTANCES:
        return too_many(len(frame.series))
    found = Values()
    for series in frame.series:
        held = np.flatnonzero(~np.isnan(series.values))
        if held.size:
            found[group_of(series.tags)] = float(series.values[held[-1]])
    return found
