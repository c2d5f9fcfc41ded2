"""Database rows as contract models, and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from psycopg.types.json import Jsonb

from dashapp.alerts.machine import Held, Seen, State
from dashapp.contract.alerts import Instance, InstanceState, Rule, RuleDefinition
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database.pool import Row

#: Instances that a list carries for each rule.
LISTED_INSTANCES = 50
_MS = timedelta(milliseconds=1)
_URGENCY: dict[InstanceState, int] = {"firing": 0, "pending": 1, "nodata": 2, "ok": 3}
#: Longer pauses than any: until it is resumed.
FOR_EVER = datetime.fromisoformat("9999-12-31T00:00:00+00:00")


def definition_of(row: Row) -> RuleDefinition:
    """The rule as it was written.

    Raises:
        ValidationError: it can't be read by this version of dashapp.
    """
    return RuleDefinition.model_validate(_fields(row))


def _fields(row: Row) -> dict[str, Any]:
    fields: dict[str, Any] = {name: row[name] for name in RuleDefinition.model_fields}
    for name in ("duration", "step"):
        fields[name] = cast(timedelta, row[name]) // _MS
    return fields


def rule_of(row: Row) -> Rule:
    """A row of the query ``rules``, without instances and values."""
    more = {name: row[name] for name in Rule.model_fields if name in row and name not in RuleDefinition.model_fields}
    return Rule.model_validate(_fields(row) | more)


def columns_of(rule: RuleDefinition) -> dict[str, object]:
    """What the statements that write rules bind."""
    values: dict[str, object] = rule.model_dump()
    return values | {
        "duration": rule.duration * _MS, "step": rule.step * _MS, "tags": Jsonb(rule.tags),
        "notification": None if rule.notification is None else Jsonb(rule.notification.model_dump()),
    }  # fmt: skip


def state_of(row: Row) -> State:
    """The machine's state of an instance's row."""
    pending = cast("datetime | None", row["pending_since"])
    return State(
        cast(Held, row["state"]), to_ms(cast(datetime, row["since"])), None if pending is None else to_ms(pending),
        cast(Seen, row["seen"]), to_ms(cast(datetime, row["seen_since"])),
    )  # fmt: skip


def shown(state: State) -> InstanceState:
    """What an instance is shown as: one of which nothing is known isn't ok."""
    return "nodata" if state.state == "ok" and state.seen == "nodata" else state.state


def instance_of(tags: dict[str, str], state: State, value: float | None) -> Instance:
    shown_as = shown(state)
    return Instance(
        tags=tags, state=shown_as, since=from_ms(state.seen_since if shown_as == "nodata" else state.since),
        pending_since=None if state.pending_since is None else from_ms(state.pending_since),
        no_data=state.seen == "nodata", value=value,
    )  # fmt: skip


def most_urgent_first(instances: Iterable[Instance], falling: bool) -> list[Instance]:
    """By state, then those furthest on the wrong side; `falling`: small values are worse."""

    def badness(instance: Instance) -> tuple[int, bool, float]:
        value = instance.value
        return _URGENCY[instance.state], value is None, (value or 0.0) if falling else -(value or 0.0)

    return sorted(instances, key=badness)
