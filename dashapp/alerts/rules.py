"""The store of rules.

A change that makes it another rule resolves what fires and judges anew, in one transaction; the lock on ``alert_clock``
makes changes and ticks follow each other. Who may change what is decided by whoever calls.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from psycopg import errors as pg
from pydantic.alias_generators import to_camel

from dashapp.alerts import events
from dashapp.alerts.backtest import backtest
from dashapp.alerts.evaluation import evaluate
from dashapp.alerts.judging import Group, Values, group_of, values_at
from dashapp.alerts.machine import State, fresh
from dashapp.alerts.rows import (
    FOR_EVER,
    LISTED_INSTANCES,
    columns_of,
    instance_of,
    most_urgent_first,
    rule_of,
    state_of,
    stored_of,
)
from dashapp.alerts.ticks import Ticks
from dashapp.contract.alerts import (
    JUDGED_FIELDS,
    Backtest,
    BacktestRequest,
    Evaluation,
    Instance,
    Reason,
    Rule,
    RuleDefinition,
    RuleState,
    RuleUpdate,
    Severity,
)
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.audit import record
from dashapp.database.pool import Connection, Database, Row
from dashapp.errors import Conflict, DashappError, NotFound, ValidationFailed
from dashapp.metrics.query import Reader

log = logging.getLogger(__name__)
_SQL = sql.load("dashapp.alerts", "rules.sql")
#: Conditions under which a smaller value is worse.
_FALLING = ("lt", "lte")


class Rules:
    """All rules. All methods may raise `Unavailable`; those with an id raise `NotFound` where nothing has it."""

    def __init__(self, database: Database, reader: Reader, ticks: Ticks) -> None:
        self._database, self._reader, self._ticks = database, reader, ticks

    async def listed(
        self,
        *,
        q: str | None = None,
        states: Sequence[RuleState] | None = None,
        severities: Sequence[Severity] | None = None,
        enabled: bool | None = None,
        page: int = 1,
        page_size: int = 50,
    ) -> tuple[list[Rule], int]:
        """A page (from 1) of rules, the most urgent first, and how many there are in all."""
        escaped = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") if q else None
        values = {
            "pattern": f"%{escaped}%" if escaped else None, "states": list(states) if states else None,
            "severities": list(severities) if severities else None, "enabled": enabled,
            "limit": page_size, "offset": (page - 1) * page_size,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await self._rows(connection, "where_listed", values)
            instances = await self._instances(connection, [row["id"] for row in rows])
            total = int(str(rows[0]["total"])) if rows else await self._count(connection, values)
        return await self._with_state(rows, instances, LISTED_INSTANCES), total

    async def get(self, rule_id: UUID) -> Rule:
        """One rule with all its instances."""
        async with self._database.connection() as connection:
            rows = await self._rows(connection, "where_id", {"id": rule_id})
            instances = await self._instances(connection, [rule_id])
        if not rows:
            raise NotFound()
        return (await self._with_state(rows, instances, None))[0]

    async def create(self, owner_id: UUID | None, definition: RuleDefinition) -> Rule:
        """
        Raises:
            NotFound: no such owner.
        """
        async with self._database.connection() as connection:
            rule_id = await self._add(connection, owner_id, definition)
        return await self.get(rule_id)

    async def create_example(self, owner_id: UUID, definition: RuleDefinition) -> bool:
        """Create it unless one of this name was ever made by this method."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["mark_example"], {"name": f"alert rule: {definition.name}"})
            if await cursor.fetchone() is None:
                return False
            await self._add(connection, owner_id, definition)
            return True

    async def update(self, rule_id: UUID, update: RuleUpdate) -> Rule:
        """Change what is given. What fires is resolved where it becomes another rule or is disabled.

        Raises:
            Conflict: `update.version` is stale; nothing has changed.
            ValidationFailed: a field that can't be read isn't given anew.
        """
        async with self._database.connection() as connection:
            await connection.execute(_SQL["raise_generation"])
            await self._lock(connection, rule_id, update.version)
            stored = stored_of((await self._rows(connection, "where_id", {"id": rule_id}))[0])
            before, given = stored.rule, update.given()
            if missing := stored.unread.keys() - given.keys():
                name = to_camel(min(missing))
                raise ValidationFailed(f"{name}: it can't be read by this version; give it anew.", details={name: "give it anew"})
            after = before.model_copy(update=given)
            switched = before.enabled != after.enabled
            anew = switched or bool(stored.unread) or any(getattr(before, name) != getattr(after, name) for name in JUDGED_FIELDS)
            if anew:
                await self._resolve(connection, rule_id, "disabled" if switched else "changed")
            if after != before or stored.unread:
                await connection.execute(
                    _SQL["change"], columns_of(after) | {"id": rule_id, "anew": anew, "now": from_ms(await self._ticks.now())}
                )
                await record(connection, "alert.change", rule_id, after.name, changed=sorted(given))
        return await self.get(rule_id)

    async def delete(self, rule_id: UUID) -> None:
        """Delete a rule; what fires is resolved, and its events stay."""
        async with self._database.connection() as connection:
            await connection.execute(_SQL["raise_generation"])
            name = await self._lock(connection, rule_id, None)
            await record(connection, "alert.delete", rule_id, name)
            await self._resolve(connection, rule_id, "deleted")
            await connection.execute(_SQL["delete"], {"id": rule_id})

    async def pause(self, rule_id: UUID, until: datetime | None) -> Rule:
        """Tell nobody until then, or until `resume`. It is judged all the same."""
        return await self._pause(rule_id, until or FOR_EVER)

    async def resume(self, rule_id: UUID) -> Rule:
        """Tell again; what still fires is told then."""
        return await self._pause(rule_id, None)

    async def evaluate(self, rule_id: UUID) -> Evaluation:
        """How the rule stands now, also where it is disabled. Nothing is written."""
        async with self._database.connection() as connection:
            rows = await self._rows(connection, "where_id", {"id": rule_id})
            instances = await self._instances(connection, [rule_id])
        if not rows:
            raise NotFound()
        stored = stored_of(rows[0])
        if stored.error is not None:
            return Evaluation(state="error", firing=False, value=None, instances=[], error=stored.error)
        states: dict[Group, State] = {
            group_of(cast("dict[str, str]", row["tags"])): state_of(row) for row in instances.get(rule_id, [])
        }
        return await evaluate(self._reader, stored.rule, states, await self._ticks.newest())

    async def backtest(self, request: BacktestRequest) -> Backtest:
        """What a rule, stored or not, would have done.

        Raises:
            ValidationFailed: the range is too long, or has too many series.
        """
        return await backtest(self._reader, self._ticks, request)

    # -- within ------------------------------------------------------------------------------------------------

    async def _pause(self, rule_id: UUID, until: datetime | None) -> Rule:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["pause"], {"id": rule_id, "until": until})
            row = await cursor.fetchone()
            if row is None:
                raise NotFound()
            what = "alert.resume" if until is None else "alert.pause"
            await record(connection, what, rule_id, str(row["name"]), until=until.isoformat() if until else None)
        return await self.get(rule_id)

    async def _add(self, connection: Connection, owner_id: UUID | None, definition: RuleDefinition) -> UUID:
        await connection.execute(_SQL["raise_generation"])
        now = from_ms(await self._ticks.now())
        try:
            row = await (
                await connection.execute(_SQL["add"], columns_of(definition) | {"owner_id": owner_id, "now": now})
            ).fetchone()
        except pg.ForeignKeyViolation:
            raise NotFound("There is no such user.") from None
        assert row is not None
        await record(connection, "alert.create", row["id"], definition.name)
        return UUID(str(row["id"]))

    async def _lock(self, connection: Connection, rule_id: UUID, version: int | None) -> str:
        row = await (await connection.execute(_SQL["lock"], {"id": rule_id})).fetchone()
        if row is None:
            raise NotFound()
        if version is not None and version != row["version"]:
            raise Conflict(f"The rule is at version {row['version']}, this change was made on {version}; reload and try again.")
        return str(row["name"])

    async def _resolve(self, connection: Connection, rule_id: UUID, reason: Reason) -> None:
        """Forget the rule's instances; those that fire are resolved now."""
        now = from_ms(await self._ticks.now())
        rows = await (await connection.execute(_SQL["take_instances"], {"id": rule_id})).fetchall()
        await events.tell(
            connection,
            [
                events.Told(
                    rule_id=rule_id, incident=cast(UUID, row["incident"]), tags=cast("dict[str, str]", row["tags"]),
                    status="resolved", reason=reason, value=cast("float | None", row["value"]),
                    triggered_at=cast(datetime, row["since"]), resolved_at=max(now, cast(datetime, row["since"])),
                )
                for row in rows
                if row["state"] == "firing"
            ],
        )  # fmt: skip

    async def _rows(self, connection: Connection, where: str, values: dict[str, Any]) -> list[Row]:
        return await (await connection.execute(_SQL["rules"].replace("{where}", _SQL[where]), values)).fetchall()

    async def _count(self, connection: Connection, values: dict[str, Any]) -> int:
        """How many there are, asked from a page beyond the last."""
        rows = await self._rows(connection, "where_listed", values | {"limit": 1, "offset": 0})
        return int(str(rows[0]["total"])) if rows else 0

    async def _instances(self, connection: Connection, ids: list[Any]) -> dict[UUID, list[Row]]:
        found: dict[UUID, list[Row]] = {}
        for row in await (await connection.execute(_SQL["instances"], {"ids": ids})).fetchall():
            found.setdefault(cast(UUID, row["rule_id"]), []).append(row)
        return found

    async def _with_state(self, rows: list[Row], instances: dict[UUID, list[Row]], limit: int | None) -> list[Rule]:
        read = [rule_of(row) for row in rows]
        rules = [rule for rule, _ in read]
        judged = [rule for rule, readable in read if rule.enabled and readable]
        values: dict[UUID, Values] = {}
        if judged:
            tick = await self._ticks.newest()
            for rule, answer in zip(judged, await values_at(self._reader, judged, tick), strict=True):
                values[rule.id] = Values() if isinstance(answer, DashappError) else answer
        return [_joined(rule, instances.get(rule.id, []), values.get(rule.id, Values()), limit) for rule in rules]


def _joined(rule: Rule, rows: list[Row], values: Values, limit: int | None) -> Rule:
    """A rule with its instances: their state is as it was stored at the last tick, their value as it is now."""
    instances: list[Instance] = []
    for row in rows:
        tags = cast("dict[str, str]", row["tags"])
        instances.append(instance_of(tags, state_of(row), values.get(group_of(tags))))
    if not rows and rule.enabled and not rule.group_by:
        moment = rule.since or from_ms(to_ms(rule.created_at))
        instances.append(instance_of({}, fresh(to_ms(moment), "nodata"), values.get(())))
    instances = most_urgent_first(instances, rule.condition in _FALLING)
    value = instances[0].value if instances else None
    return rule.model_copy(update={"instances": instances[:limit], "value": value, "instance_count": len(rows)})
