"""The storage job: one pass makes partitions ahead, brings the rollups up to date and drops what is too old.

Every process ticks; the one that holds the lease ``storage`` works.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from dashapp.contract.timerange import to_ms
from dashapp.database import sql
from dashapp.database.leases import Lease, LeaseLost
from dashapp.database.pool import Database
from dashapp.database.tier import POSTGRES, TIMESCALEDB, tier_of
from dashapp.errors import DashappError
from dashapp.metrics.clock import DAY, Clock, system_clock
from dashapp.metrics.rollups.aggregates import AggregateRefresh
from dashapp.metrics.rollups.partitions import Partitions
from dashapp.metrics.rollups.policies import Policy, policies
from dashapp.metrics.rollups.refresh import Refresh
from dashapp.metrics.rollups.retention import ChunkRetention, Retention
from dashapp.settings import Settings

log = logging.getLogger(__name__)

_SQL = sql.load("dashapp.metrics.rollups", "jobs.sql")

JOB = "storage"
_SERIES_JOB = "storage.series"
#: What does the work on each tier.
_WORKERS: dict[str, tuple[type[Refresh], type[Retention]]] = {
    POSTGRES: (Refresh, Retention),
    TIMESCALEDB: (AggregateRefresh, ChunkRetention),
}
#: How long one pass catches up before it lets retention have its turn.
REFRESH_SECONDS = 20.0


@dataclass(frozen=True)
class StorageStatus:
    """How the storage stands, for ``dashapp doctor``. Moments are Unix ms."""

    #: By level (``1min``, ``1hour``): up to where rollups stand.
    watermarks: dict[str, int] = field(default_factory=dict)
    #: By level (``raw``, ``1min``, ``1hour``): from where on rows are held.
    horizons: dict[str, int] = field(default_factory=dict)
    #: Late samples that wait for a refresh, as rows of ``rollup_dirty``.
    dirty: int = 0
    #: The last pass of whichever process led; None before the first.
    finished_at: int | None = None
    seconds: float | None = None
    error: str | None = None
    #: TimescaleDB's own jobs, in the tier ``timescaledb``.
    policies: list[Policy] = field(default_factory=list)


class StorageJobs:
    """One process's part in the storage job. `tick` it every few seconds."""

    def __init__(self, database: Database, settings: Settings, *, clock: Clock = system_clock) -> None:
        self.database, self.settings, self.clock = database, settings, clock
        self.lease = Lease(database, JOB)
        self.partitions = Partitions(database, clock=clock)
        self._work_on(POSTGRES)

    def _work_on(self, tier: str) -> None:
        refresh, retention = _WORKERS[tier]
        self._tier = tier
        self.refresh = refresh(self.database, self.lease, clock=self.clock)
        self.retention = retention(self.database, self.lease, self.settings, clock=self.clock)

    async def settle(self) -> None:
        """Learn the database's tier, which says what does the work.

        Raises:
            Unavailable: the database can't be reached.
        """
        if (tier := await tier_of(self.database)) != self._tier:
            self._work_on(tier)

    async def tick(self) -> bool:
        """One pass; True where this process leads. What goes wrong is logged and recorded, not raised.

        Raises:
            Unavailable: the database can't be reached, so that nothing can be recorded either.
        """
        await self.settle()
        if not await self.lease.renew():
            return False
        began = time.monotonic()
        error: str | None = None
        try:
            await self._pass(began)
            error = "; ".join(self.refresh.faulty.values()) or None
        except LeaseLost:
            log.info("another process took the storage job over")
            return False
        except Exception as failure:
            log.exception("the storage job failed")
            error = str(failure) if isinstance(failure, DashappError) else f"{type(failure).__name__}: {failure}".strip()
        await self._record(JOB, time.monotonic() - began, error)
        return True

    async def _pass(self, began: float) -> None:
        await self.retention.follow()
        await self.partitions.make_ahead()
        while await self.refresh.step():
            await self._renew()
            if time.monotonic() - began > REFRESH_SECONDS:
                break
        await self._renew()
        await self.retention.advance()
        dropped = await self.retention.drop()
        if dropped:
            self.partitions.forget()
            log.info("dropped %s", ", ".join(dropped))
        if await self._due(_SERIES_JOB, DAY):
            await self._renew()
            started = time.monotonic()
            deleted = await self.retention.delete_series()
            log.info("deleted %d series without rows", deleted)
            await self._record(_SERIES_JOB, time.monotonic() - started, None)

    async def _renew(self) -> None:
        if not await self.lease.renew():
            raise LeaseLost(JOB)

    async def _due(self, name: str, every_ms: int) -> bool:
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                "SELECT 1 FROM job_runs WHERE name = %s AND finished_at > now() - %s * interval '1 millisecond'", (name, every_ms)
            )
            return await cursor.fetchone() is None

    async def _record(self, name: str, seconds: float, error: str | None) -> None:
        async with self.database.connection() as connection:
            await connection.execute(
                _SQL["record"],
                {"name": name, "seconds": seconds, "error": error},
            )

    async def status(self) -> StorageStatus:
        """How the storage stands, whichever process leads.

        Raises:
            Unavailable: the database can't be reached.
        """
        tier = await tier_of(self.database)
        async with self.database.connection() as connection:
            cursor = await connection.execute("SELECT level, watermark FROM rollup_watermarks")
            watermarks = {str(row["level"]): to_ms(cast(datetime, row["watermark"])) for row in await cursor.fetchall()}
            cursor = await connection.execute("SELECT level, horizon FROM retention_horizons")
            horizons = {str(row["level"]): to_ms(cast(datetime, row["horizon"])) for row in await cursor.fetchall()}
            cursor = await connection.execute("SELECT count(*) AS dirty FROM rollup_dirty")
            dirty = int(str((await cursor.fetchone() or {}).get("dirty", 0)))
            cursor = await connection.execute("SELECT finished_at, seconds, error FROM job_runs WHERE name = %s", (JOB,))
            run = await cursor.fetchone()
            runs = await policies(connection) if tier == TIMESCALEDB else []
        if run is None:
            return StorageStatus(watermarks, horizons, dirty, policies=runs)
        return StorageStatus(
            watermarks, horizons, dirty, to_ms(cast(datetime, run["finished_at"])), float(str(run["seconds"])),
            cast("str | None", run["error"]), runs,
        )  # fmt: skip
