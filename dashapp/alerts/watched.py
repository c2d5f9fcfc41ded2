"""Rules and their instances as the evaluator holds them in memory: what the database says, read anew when that changes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from dashapp.alerts.judging import Group, group_of
from dashapp.alerts.machine import Policy, State
from dashapp.alerts.rows import stored_of
from dashapp.contract.alerts import RuleDefinition
from dashapp.contract.timerange import to_ms
from dashapp.database import sql
from dashapp.database.pool import Connection, Row

log = logging.getLogger(__name__)
_SQL = sql.load("dashapp.alerts", "evaluator.sql")
_ROWS_A_TURN = 200


class Standing(NamedTuple):
    """An instance: its state and, while it fires, its incident."""

    state: State
    incident: UUID | None = None


@dataclass
class Watched:
    """An enabled rule."""

    id: UUID
    version: int
    rule: RuleDefinition
    #: Ticks before judge nothing.
    effective_at: int
    error: str | None
    instances: dict[Group, Standing] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        return Policy(self.rule.duration, self.rule.no_data)


async def versions(connection: Connection) -> dict[UUID, int]:
    """Every enabled rule's version."""
    row = await (await connection.execute(_SQL["versions"], binary=True)).fetchone()
    assert row is not None
    ids, numbers = cast("Sequence[str]", row["ids"]), cast(Any, row["versions"]).tolist()
    return {UUID(text): number for text, number in zip(ids, numbers, strict=True)}


async def read(connection: Connection, known: dict[UUID, Watched]) -> dict[UUID, Watched]:
    """All enabled rules with their instances; of those known in the same version only the instances are read anew."""
    current = await versions(connection)
    rules = {key: known[key] for key, version in current.items() if key in known and known[key].version == version}
    missing = [key for key in current if key not in rules]
    unread: dict[UUID, str] = {}
    for at in range(0, len(missing), _ROWS_A_TURN):
        cursor = await connection.execute(_SQL["rules"], {"ids": missing[at : at + _ROWS_A_TURN]})
        for row in await cursor.fetchall():
            stored = stored_of(row)
            if stored.error is None:
                one = _watched(row, stored.rule)
                rules[one.id] = one
            else:
                unread[cast(UUID, row["id"])] = stored.error
        await asyncio.sleep(0)
    if unread:
        log.error("%d alert rules can't be read by this version of dashapp; the list of rules says why", len(unread))
        await connection.execute(_SQL["write_unread"], {"rules": list(unread), "errors": list(unread.values())})
    columns = await (await connection.execute(_SQL["instances"], binary=True)).fetchone()
    assert columns is not None
    await asyncio.to_thread(_join, rules, columns)
    return rules


def _watched(row: Row, rule: RuleDefinition) -> Watched:
    return Watched(
        id=cast(UUID, row["id"]), version=cast(int, row["version"]), rule=rule,
        effective_at=to_ms(cast(datetime, row["effective_at"])), error=cast("str | None", row["error"]),
    )  # fmt: skip


def _join(rules: dict[UUID, Watched], row: Row) -> None:
    for watched in rules.values():
        watched.instances = {}
    columns: Any = row
    for key, tags, state, since, pending, seen, seen_since, incident in zip(
        columns["rules"], columns["tags"], columns["states"], columns["since"].tolist(), columns["pending_since"].tolist(),
        columns["seen"], columns["seen_since"].tolist(), columns["incidents"], strict=True,
    ):  # fmt: skip
        if (one := rules.get(UUID(key))) is not None:
            stands = State(state, since, pending if state == "pending" else None, seen, seen_since)
            one.instances[group_of(json.loads(tags))] = Standing(stands, UUID(incident) if incident else None)
