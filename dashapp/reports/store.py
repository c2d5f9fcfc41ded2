"""The store of scheduled reports: what is sent when, and how it went."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from dashapp.alerts.channels.mail import NO_SERVER
from dashapp.contract.accounts import User
from dashapp.contract.base import from_pydantic
from dashapp.contract.reports import MOST_REPORTS, Report, ReportRequest, ReportUpdate, Schedule
from dashapp.contract.timerange import from_ms
from dashapp.database.audit import record
from dashapp.database.pool import Connection, Database, Row
from dashapp.database.sql import load
from dashapp.errors import Conflict, NotFound, ValidationFailed
from dashapp.metrics.clock import Clock, system_clock
from dashapp.reports.due import next_time
from dashapp.settings import Settings

#: How long a report that is being made is left to its process; longer than making one may take.
CLAIM = timedelta(minutes=5)
#: Waits before a delivery that failed is tried again; after as many it is given up until the next time.
WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
_REQUESTED = tuple(ReportRequest.model_fields)


class Due(NamedTuple):
    """A report that is to be delivered."""

    report: Report
    #: The time that it is due for.
    at: datetime
    #: Which attempt this is, from 1.
    attempt: int


class Reports:
    """All scheduled reports. All methods may raise `Unavailable`; those with an id raise `NotFound` where nothing has it."""

    def __init__(self, database: Database, settings: Settings, *, clock: Clock = system_clock) -> None:
        self._database, self._settings, self._clock = database, settings, clock
        self._sql = load("dashapp.reports", "store.sql")

    def now(self) -> datetime:
        return from_ms(self._clock())

    async def of(self, dashboard_id: UUID) -> list[Report]:
        """A dashboard's reports, the oldest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["reports"], {"dashboard_id": dashboard_id})).fetchall()
        return [_report(row) for row in rows]

    async def get(self, report_id: UUID) -> Report:
        async with self._database.connection() as connection:
            return _report(await self._row(connection, report_id))

    async def create(self, owner: User, dashboard_id: UUID, request: ReportRequest) -> Report:
        """
        Raises:
            Conflict: there are too many.
            ValidationFailed: mails can't be sent.
        """
        self._check_mail(request.emails)
        async with self._database.connection() as connection:
            await connection.execute("SELECT 1 FROM dashboards WHERE id = %s FOR UPDATE", (dashboard_id,))
            others = await connection.execute(self._sql["reports"], {"dashboard_id": dashboard_id})
            if len(await others.fetchall()) >= MOST_REPORTS:
                raise Conflict(f"The dashboard has {MOST_REPORTS} scheduled reports already; delete some first.")
            values = _columns(request) | {
                "dashboard_id": dashboard_id, "owner_id": owner.id, "next_at": next_time(request.schedule, self.now())
            }  # fmt: skip
            row = await (await connection.execute(self._sql["add"], values)).fetchone()
            assert row is not None
            await record(connection, "report.create", row["id"], request.schedule.in_words(), dashboard=str(dashboard_id))
            return _report(await self._row(connection, cast(UUID, row["id"])))

    async def update(self, by: User, report_id: UUID, update: ReportUpdate) -> Report:
        """Change what is given. From then on it shows what `by` may see, unless it is only paused or resumed.

        Raises:
            ValidationFailed: it would reach nobody, or mails can't be sent.
        """
        given = update.given()
        self._check_mail(given.get("emails"))
        async with self._database.connection() as connection:
            row = await self._row(connection, report_id)
            try:
                stored = ReportRequest.model_validate({name: row[name] for name in _REQUESTED} | given)
            except ValidationError as error:
                raise from_pydantic(error) from None
            timed = "schedule" in given or (row["paused"] and not stored.paused)
            values = _columns(stored) | {
                "id": report_id, "owner_id": by.id if set(given) - {"paused"} else row["owner_id"],
                "next_at": next_time(stored.schedule, self.now()) if timed else None,
            }  # fmt: skip
            await connection.execute(self._sql["change"], values)
            if given:
                await record(connection, "report.change", report_id, stored.schedule.in_words(), changed=sorted(given))
            return _report(await self._row(connection, report_id))

    async def delete(self, report_id: UUID) -> None:
        """Send it no more. What it wrote stays."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(self._sql["delete"], {"id": report_id})).fetchone()
            if row is None:
                raise NotFound()
            await record(connection, "report.delete", report_id, dashboard=str(row["dashboard_id"]))

    # -- what the runner asks ------------------------------------------------------------------------------------

    async def claim(self) -> Due | None:
        """One that is due now, as this process's to deliver within `CLAIM`; None where none is."""
        now = self.now()
        async with self._database.connection() as connection:
            claimed = await (await connection.execute(self._sql["claim"], {"now": now, "until": now + CLAIM})).fetchone()
            if claimed is None:
                return None
            row = await self._row(connection, cast(UUID, claimed["id"]))
        return Due(_report(row), cast(datetime, row["next_at"]), cast(int, row["attempts"]))

    async def delivered(self, report_id: UUID) -> None:
        await self._execute("delivered", id=report_id, now=self.now())

    async def failed(self, report_id: UUID, error: str) -> None:
        await self._execute("failed", id=report_id, now=self.now(), error=error)

    async def advance(self, due: Due) -> None:
        """This time is done with; the next counts from now, so that missed ones are made up for by one."""
        report = due.report
        await self._execute("advance", id=report.id, due=due.at, next_at=next_time(report.schedule, self.now()))

    async def try_again(self, due: Due) -> bool:
        """Later, unless it was tried often enough; False where it was."""
        if due.attempt > len(WAITS):
            return False
        await self._execute("try_again", id=due.report.id, due=due.at, try_at=self.now() + WAITS[due.attempt - 1])
        return True

    async def ran(self, report: Report) -> None:
        """Somebody had it sent now."""
        async with self._database.connection() as connection:
            await record(connection, "report.run", report.id, report.when, dashboard=str(report.dashboard_id))

    # -- helpers of the above ------------------------------------------------------------------------------------

    def _check_mail(self, emails: list[str] | None) -> None:
        if emails and not self._settings.smtp_url.get_secret_value():
            raise ValidationFailed(f"emails: {NO_SERVER}", details={"emails": NO_SERVER.rstrip(".")})

    async def _execute(self, name: str, **values: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(self._sql[name], values)

    async def _row(self, connection: Connection, report_id: UUID) -> Row:
        row = await (await connection.execute(self._sql["report"], {"id": report_id})).fetchone()
        if row is None:
            raise NotFound()
        return row


def _columns(request: ReportRequest) -> dict[str, Any]:
    values = request.model_dump()
    return values | {"schedule": Jsonb(values["schedule"]), "variables": Jsonb(values["variables"])}


def _report(row: Row) -> Report:
    values: dict[str, Any] = {name: row[name] for name in Report.model_fields if name in row}
    values["schedule"] = Schedule.model_validate(row["schedule"])
    values["when"] = values["schedule"].in_words()
    waiting = not row["paused"] and row["error"] is not None and row["try_at"] != row["next_at"]
    values |= {"next_at": None if row["paused"] else row["next_at"], "retry_at": row["try_at"] if waiting else None}
    return Report.model_validate(values)
