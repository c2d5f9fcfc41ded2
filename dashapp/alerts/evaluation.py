"""Judging a rule now: the same values and the same machine as at a tick, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping

from dashapp.alerts.judging import Group, seen_by_group, values_at
from dashapp.alerts.machine import Policy, State, fresh, step
from dashapp.alerts.rows import shown
from dashapp.contract.alerts import Evaluated, Evaluation, RuleDefinition, RuleState
from dashapp.errors import DashappError
from dashapp.metrics.query import Reader

_ORDER: tuple[RuleState, ...] = ("firing", "pending", "error", "nodata", "ok")


async def evaluate(reader: Reader, rule: RuleDefinition, stored: Mapping[Group, State], tick: int) -> Evaluation:
    """How `rule`, whose instances stand as stored, would stand after a tick.

    Raises:
        Unavailable: the database can't be reached.
    """
    answer = (await values_at(reader, [rule], tick))[0]
    policy = Policy(rule.duration, rule.no_data)
    instances: list[Evaluated] = []
    states: set[RuleState] = {"error"} if isinstance(answer, DashappError) else set()
    for group, (seen, value) in seen_by_group(rule, answer, stored).items():
        after, _ = step(policy, stored.get(group) or fresh(tick, seen), tick, seen)
        instances.append(Evaluated(tags=dict(group), state=shown(after), value=value))
        states.add(shown(after))
    instances.sort(key=lambda one: (_ORDER.index(one.state), _badness(rule, one.value)))
    state: RuleState = next((state for state in _ORDER if state in states), "nodata")
    return Evaluation(
        state=state, firing=state == "firing", value=instances[0].value if instances else None, instances=instances,
        error=str(answer) if isinstance(answer, DashappError) else None,
    )  # fmt: skip


def _badness(rule: RuleDefinition, value: float | None) -> tuple[bool, float]:
    return value is None, (value or 0.0) * (1 if rule.condition in ("lt", "lte") else -1)
