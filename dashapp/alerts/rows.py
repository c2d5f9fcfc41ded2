"""Database rows as contract models, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from psycopg.types.json import Jsonb
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from dashapp.alerts.machine import Held, Seen, State
from dashapp.contract.alerts import Instance, InstanceState, Rule, RuleDefinition
from dashapp.contract.base import from_pydantic
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database.pool import Row

#: Instances that a list carries for each rule.
LISTED_INSTANCES = 50
_MS = timedelta(milliseconds=1)
_URGENCY: dict[InstanceState, int] = {"firing": 0, "pending": 1, "nodata": 2, "ok": 3}
#: Longer pauses than any: until it is resumed.
FOR_EVER = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
#: What stands for a field that can't be read and has no default.
_STAND_INS: dict[str, Any] = {"name": "unreadable", "query": "unreadable", "condition": "gt", "threshold": 0.0}


def _fields(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in RuleDefinition.model_fields}


@dataclass(frozen=True)
class Stored:
    """A rule as it was read, perhaps only in part: another version of dashapp may have written what this one doesn't know."""

    rule: RuleDefinition
    #: Fields that can't be read, and why; something else stands in `rule` for them. Such a rule isn't judged.
    unread: dict[str, str]

    @property
    def error(self) -> str | None:
        if not self.unread:
            return None
        wrong = "; ".join(f"{to_camel(name)}: {why}" for name, why in self.unread.items())
        return f"this version of dashapp can't read the rule, so it isn't judged ({wrong})."


def stored_of(row: Row) -> Stored:
    """The rule as far as it can be read."""
    fields = _fields(row)
    try:
        return Stored(RuleDefinition.model_validate(fields), {})
    except ValidationError as error:
        found = from_pydantic(error).details or {}
    unread: dict[str, str] = {}
    for path, why in found.items():
        name = next((one for one in RuleDefinition.model_fields if path.partition(".")[0] in (one, to_camel(one))), "name")
        unread.setdefault(name, str(why))
        fields.pop(name, None)
    fields |= {name: _STAND_INS[name] for name in unread.keys() & _STAND_INS.keys()}
    return Stored(RuleDefinition.model_validate(fields), unread)


def rule_of(row: Row) -> tuple[Rule, bool]:
    """A row of the query ``rules``, without instances and values; and whether it could be read, else its error says so."""
    stored = stored_of(row)
    more = {name: row[name] for name in Rule.model_fields if name in row and name not in RuleDefinition.model_fields}
    if stored.error is not None:
        more["error"] = stored.error
        if stored.rule.enabled:
            more["state"] = "error"
    return Rule.model_validate(stored.rule.model_dump() | more), not stored.unread


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
