"""What judging brought about: instances, events and errors, gathered in memory and written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple
from uuid import UUID

from dashapp.alerts.events import Told, incident_id, tell
from dashapp.alerts.judging import Group
from dashapp.alerts.machine import Change, State
from dashapp.alerts.watched import Standing, Watched
from dashapp.contract.timerange import from_ms
from dashapp.database import sql
from dashapp.database.pool import Connection
from dashapp.metrics.series import canonical, tags_hash

_SQL = sql.load("dashapp.alerts", "evaluator.sql")


class Moved(NamedTuple):
    """Where an instance stands after its last move."""

    standing: Standing
    tick: int
    value: float | None


@dataclass
class Outcome:
    """Changes of one pass, over one tick or many."""

    #: By rule and group: where the instance stands now, the tick and the value; None where it is gone.
    instances: dict[UUID, dict[Group, Moved | None]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    errors: dict[UUID, str | None] = field(default_factory=dict)

    def standings(self, watched: Watched) -> dict[Group, Standing]:
        """The rule's instances by now."""
        moved = self.instances.get(watched.id)
        if not moved:
            return watched.instances
        now = dict(watched.instances)
        for group, to in moved.items():
            if to is None:
                now.pop(group, None)
            else:
                now[group] = to.standing
        return now

    def move(
        self, watched: Watched, group: Group, before: Standing | None, after: State | None, change: Change | None,
        tick: int, value: float | None,
    ) -> None:  # fmt: skip
        """An instance has moved at a tick."""
        tags = dict(group)
        incident = before.incident if before is not None else None
        if change is not None and change.status == "firing":
            incident = incident_id(watched.id, tags, tick)
            self.told.append(
                Told(
                    watched.id, incident, tags, "firing", from_ms(tick), value=value, summary=watched.rule.sentence(),
                )
            )  # fmt: skip
        elif change is not None and before is not None and incident is not None:
            self.told.append(
                Told(
                    watched.id, incident, tags, "resolved", from_ms(before.state.since), from_ms(tick), change.reason, value,
                    summary=watched.rule.sentence(),
                )
            )  # fmt: skip
        to = None if after is None else Moved(Standing(after, incident if after.state == "firing" else None), tick, value)
        self.instances.setdefault(watched.id, {})[group] = to

    def without(self, rules: set[UUID]) -> Outcome:
        """The outcome for all rules but these."""
        return Outcome(
            {key: moved for key, moved in self.instances.items() if key not in rules},
            [one for one in self.told if one.rule_id not in rules],
            {key: error for key, error in self.errors.items() if key not in rules},
        )

    def net(self) -> list[Told]:
        """The events; an incident that began and ended within this pass is history that nobody is told."""
        ends = {one.incident: one.resolved_at for one in self.told if one.status == "resolved"}
        return [
            replace(one, notify=False, resolved_at=ends[one.incident]) if one.status == "firing" and one.incident in ends else one
            for one in self.told
        ]

    async def write(self, connection: Connection, watched: dict[UUID, Watched], tick: int) -> None:
        """Write it all, in the caller's transaction. Events come first: they refer to rules and instances as they were."""
        await tell(connection, self.net())
        pairs = [(watched[key], group, to) for key, groups in self.instances.items() for group, to in groups.items()]
        moved = [(one, dict(group), to) for one, group, to in pairs if to is not None]
        gone = [(one.id, dict(group)) for one, group, to in pairs if to is None]
        if moved:
            states = [to.standing.state for _, _, to in moved]
            await connection.execute(
                _SQL["write_instances"],
                {
                    "rules": [one.id for one, _, _ in moved], "hashes": [tags_hash(tags) for _, tags, _ in moved],
                    "tags": [canonical(tags) for _, tags, _ in moved], "states": [state.state for state in states],
                    "since": [from_ms(state.since) for state in states],
                    "pending_since": [None if state.pending_since is None else from_ms(state.pending_since) for state in states],
                    "ticks": [from_ms(to.tick) for _, _, to in moved], "values": [to.value for _, _, to in moved],
                    "versions": [one.version for one, _, _ in moved], "seen": [state.seen for state in states],
                    "seen_since": [from_ms(state.seen_since) for state in states],
                    "incidents": [to.standing.incident for _, _, to in moved],
                },
            )  # fmt: skip
        if gone:
            columns = {"rules": [rule for rule, _ in gone], "hashes": [tags_hash(tags) for _, tags in gone]}
            await connection.execute(_SQL["delete_instances"], columns)
        if self.errors:
            await connection.execute(
                _SQL["write_errors"], {"rules": list(self.errors), "errors": list(self.errors.values()), "tick": from_ms(tick)}
            )
        await connection.execute(_SQL["move_clock"], {"tick": from_ms(tick), "moved": bool(pairs or self.errors)})

    def apply(self, watched: dict[UUID, Watched]) -> None:
        """After the commit: memory as the database has it."""
        for rule_id, groups in self.instances.items():
            for group, to in groups.items():
                if to is None:
                    watched[rule_id].instances.pop(group, None)
                else:
                    watched[rule_id].instances[group] = to.standing
        for rule_id, error in self.errors.items():
            watched[rule_id].error = error
