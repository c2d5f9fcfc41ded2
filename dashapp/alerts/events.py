"""Events: what became of instances, told in the transaction that changes their state; and their history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from dashapp.alerts.masking import masked
from dashapp.contract.alerts import ActiveAlert, Delivery, Event, FiringPeriod, Reason, Severity, Status
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.pool import Connection, Database
from dashapp.errors import NotFound
from dashapp.metrics.clock import DAY, HOUR

_SQL = sql.load("dashapp.alerts", "events.sql")

#: Notices that what is active may have changed.
CHANNEL = "alerts"
#: How long events are kept after their incident was resolved.
KEPT_MS = 365 * DAY
#: How often old ones are looked for, and how many go at once.
_PRUNE_MS, _PRUNED_AT_ONCE = HOUR, 1_000


@dataclass(frozen=True)
class Told:
    """One transition."""

    rule_id: UUID
    incident: UUID
    tags: dict[str, str]
    status: Status
    triggered_at: datetime
    resolved_at: datetime | None = None
    reason: Reason | None = None
    value: float | None = None
    #: False where it is history already: it goes into the events, and nobody is told.
    notify: bool = True
    #: The rule's condition in words; kept with a firing.
    summary: str = ""


def incident_id(rule_id: UUID, tags: dict[str, str], tick: int) -> UUID:
    """The same whoever judges that tick."""
    return uuid5(NAMESPACE_URL, f"dashapp:{rule_id}:{json.dumps(tags, sort_keys=True)}:{tick}")


async def tell(connection: Connection, told: Sequence[Told]) -> None:
    """Write events and, for those whom it concerns, the outbox. Telling the same twice changes nothing."""
    if not told:
        return
    await connection.execute(
        _SQL["tell"],
        {
            "incidents": [one.incident for one in told], "rules": [one.rule_id for one in told],
            "tags": [json.dumps(one.tags) for one in told], "statuses": [one.status for one in told],
            "reasons": [one.reason for one in told], "values": [one.value for one in told],
            "triggered": [one.triggered_at for one in told], "resolved": [one.resolved_at for one in told],
            "notify": [one.notify for one in told],
            "summaries": json.dumps({str(one.rule_id): one.summary for one in told if one.summary}),
        },
    )  # fmt: skip


class History:
    """Events, newest first. All methods may raise `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prune_at = 0
        #: What is active, with what was resolved and without.
        self._reading: dict[bool, asyncio.Task[list[ActiveAlert]]] = {}

    async def prune(self, now_ms: int) -> int:
        """Delete some of the events whose incident was resolved a year ago; how many. Call it every now and then: it looks
        once an hour, and again at the next call where there was more."""
        if now_ms < self._prune_at:
            return 0
        values = {"before": from_ms(now_ms - KEPT_MS), "limit": _PRUNED_AT_ONCE}
        async with self._database.connection() as connection:
            pruned = (await connection.execute(_SQL["prune"], values)).rowcount
        if pruned < _PRUNED_AT_ONCE:
            self._prune_at = now_ms + _PRUNE_MS
        return pruned

    async def events(
        self,
        *,
        rule_id: UUID | None = None,
        status: Status | None = None,
        severity: Severity | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page: int = 1,
        page_size: int = 50,
    ) -> tuple[list[Event], int]:
        """A page (from 1) of events with what became of telling them, and how many there are in all.

        Raises:
            NotFound: neither a rule nor an event has this `rule_id`.
        """
        values: dict[str, Any] = {
            "rule": rule_id, "status": status, "severity": severity, "from": since, "to": until,
            "limit": page_size, "offset": (page - 1) * page_size,
        }  # fmt: skip
        async with self._database.connection() as connection:
            if rule_id is not None and await (await connection.execute(_SQL["known_rule"], values)).fetchone() is None:
                raise NotFound()
            rows = await (await connection.execute(_SQL["history"], values)).fetchall()
            if not rows and page > 1:
                first = await (await connection.execute(_SQL["history"], values | {"limit": 1, "offset": 0})).fetchone()
                return [], int(str(first["total"])) if first else 0
            deliveries = await self._deliveries(connection, [cast(UUID, row["id"]) for row in rows])
        total = int(str(rows[0]["total"])) if rows else 0
        events = []
        for row in rows:
            fields: dict[str, Any] = {name: row[name] for name in Event.model_fields if name in row}
            events.append(Event(**fields, deliveries=deliveries.get(cast(UUID, row["id"]), [])))
        return events, total

    async def firing_periods(self, metrics: Collection[str], start_ms: int, end_ms: int) -> list[FiringPeriod]:
        """When rules that watch these metrics fired within [start, end) Unix ms: the newest 500, the newest first."""
        values = {"metrics": list(metrics), "from": from_ms(start_ms), "to": from_ms(end_ms)}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["firing_periods"], values)).fetchall()
        found = []
        for row in rows:
            fields: dict[str, Any] = {name: row[name] for name in ("query", "tags", "rule_name", "severity")}
            ended = cast("datetime | None", row["resolved_at"])
            start = to_ms(cast(datetime, row["triggered_at"]))
            found.append(FiringPeriod(**fields, start_ms=start, end_ms=None if ended is None else to_ms(ended)))
        return found

    async def active(self, *, resolved: bool = False) -> list[ActiveAlert]:
        """What isn't ok now, the most urgent 500; with `resolved` also what was resolved within a day.

        Those who ask together share one reading.
        """
        reading = self._reading.get(resolved)
        if reading is None or reading.done():
            reading = self._reading[resolved] = asyncio.create_task(self._active(resolved))
        return await asyncio.shield(reading)

    async def _active(self, resolved: bool) -> list[ActiveAlert]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["active"], {"resolved": resolved})).fetchall()
        found = []
        for row in rows:
            fields: dict[str, Any] = {name: row[name] for name in ActiveAlert.model_fields if name in row}
            found.append(ActiveAlert(**fields, since_ms=to_ms(cast(datetime, row["since"]))))
        return found

    async def _deliveries(self, connection: Connection, ids: Collection[UUID]) -> dict[UUID, list[Delivery]]:
        found: dict[UUID, list[Delivery]] = {}
        for row in await (await connection.execute(_SQL["deliveries"], {"ids": list(ids)})).fetchall():
            fields: dict[str, Any] = {name: row[name] for name in Delivery.model_fields}
            fields["target"] = masked(fields["type"], fields["target"])
            found.setdefault(cast(UUID, row["event_id"]), []).append(Delivery(**fields))
        return found
