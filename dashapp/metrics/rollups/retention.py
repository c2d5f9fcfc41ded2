"""Retention: horizons advance first, then what lies below them is dropped whole, as partitions or as TimescaleDB's chunks.

Samples are dropped a day after their retention, so that a range of 7 days is whole. Series that have no rows on any
level any more are deleted, so that those that come and go don't use up ``MAX_SERIES``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import cast

import numpy as np
import psycopg
from psycopg import sql as compose

from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.leases import Lease
from dashapp.database.pool import Connection, Database
from dashapp.metrics.clock import DAY, Clock, floor_to, system_clock
from dashapp.metrics.rollups import policies
from dashapp.metrics.rollups.partitions import HOURS, INCREASE_HOURS, INCREASE_MINUTES, MINUTES, RAW, Partition, partitions_of
from dashapp.settings import Settings

log = logging.getLogger(__name__)

_SQL = sql.load("dashapp.metrics.rollups", "retention.sql")
_RELATION = {"raw": "metrics_raw", "1min": "metrics_1min", "1hour": "metrics_1hour"}
#: Which level's horizon rules a table.
_LEVEL = {RAW: "raw", MINUTES: "1min", INCREASE_MINUTES: "1min", HOURS: "1hour", INCREASE_HOURS: "1hour"}
#: How often a lock is tried for. Each try waits at most a second: a drop that queues behind a long query blocks all ingest.
_TRIES = 4
_SERIES_A_STEP = 20_000


async def _impatient(connection: Connection) -> None:
    await connection.execute("SET LOCAL lock_timeout = '1s'")


class Retention:
    """Drops what is too old. Every transaction is under the lease."""

    def __init__(self, database: Database, lease: Lease, settings: Settings, *, clock: Clock = system_clock) -> None:
        self.database, self.lease, self.settings, self.clock = database, lease, settings, clock

    async def advance(self) -> None:
        """Move the stored horizons to where they belong, as far as the rollups of what lies below them stand.

        Raises:
            LeaseLost, Unavailable
        """
        async with self.database.connection() as connection:
            cursor = await connection.execute("SELECT level, horizon FROM retention_horizons")
            stored = {str(row["level"]): to_ms(cast(datetime, row["horizon"])) for row in await cursor.fetchall()}
            cursor = await connection.execute("SELECT min(watermark) AS watermark FROM rollup_watermarks")
            row = await cursor.fetchone()
        rolled_up = to_ms(cast(datetime, row["watermark"])) if row else 0
        retentions = {
            "1hour": self.settings.retention_1hour,
            "1min": self.settings.retention_1min,
            "raw": self.settings.retention_raw,
        }
        for level, retention in retentions.items():
            if retention is None:
                continue
            wanted = self.clock() - retention // timedelta(milliseconds=1) - DAY
            wanted = floor_to(wanted if level == "1hour" else min(wanted, rolled_up), DAY)
            if wanted > stored[level]:
                await self._patiently(partial(self._advance, level, wanted))

    async def _advance(self, level: str, horizon_ms: int) -> None:
        values = {"level": level, "horizon": from_ms(horizon_ms)}
        async with self.database.connection() as connection:
            await _impatient(connection)
            await connection.execute(_SQL["lock_horizon"], values)
            if level == "raw":
                # From here on nobody adds any; what has come since the refresh is computed first, in the next pass.
                row = await (await connection.execute(_SQL["dirty_below"], values)).fetchone()
                if row is None or row["found"]:
                    return
            await connection.execute(_SQL["advance"], values)
            await self.lease.check(connection)

    async def drop(self) -> list[str]:
        """Drop the partitions that lie below the stored horizons; their names.

        Raises:
            LeaseLost, Unavailable
        """
        async with self.database.connection() as connection:
            cursor = await connection.execute("SELECT level, horizon FROM retention_horizons")
            horizons = {str(row["level"]): to_ms(cast(datetime, row["horizon"])) for row in await cursor.fetchall()}
            standing = await partitions_of(connection)
        old = [part for part in standing if part.upper_ms <= horizons[_LEVEL[part.parent]]]
        return [part.name for part in old if await self._patiently(partial(self._drop, part))]

    async def _drop(self, part: Partition) -> None:
        async with self.database.connection() as connection:
            await _impatient(connection)
            await connection.execute(compose.SQL("DROP TABLE IF EXISTS {}").format(compose.Identifier(part.name)))
            await self.lease.check(connection)

    async def follow(self) -> None:
        """Advance the stored horizons to what the database has dropped by itself: in this tier, nothing.

        Raises:
            LeaseLost, Unavailable
        """

    async def delete_series(self) -> int:
        """Delete series that have no rows on any level and are older than a day; how many.

        Raises:
            LeaseLost, Unavailable
        """
        async with self.database.connection() as connection:
            row = await (await connection.execute("SELECT coalesce(max(id), 0) AS last FROM series")).fetchone()
        last = int(str(row["last"])) if row else 0
        deleted = 0
        for after in range(0, last, _SERIES_A_STEP):
            async with self.database.connection() as connection:
                values = {"after": after, "upto": after + _SERIES_A_STEP}
                found = await (await connection.execute(_SQL["series_without_rows"], values, binary=True)).fetchone()
            if found is None or found["ids"] is None:
                continue
            await self.lease.renew()
            ids = cast(np.ndarray[tuple[int], np.dtype[np.int64]], found["ids"])
            for at in range(0, ids.size, 1_000):
                deleted += await self._delete(ids[at : at + 1_000])
        return deleted

    async def _delete(self, ids: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
        async with self.database.connection() as connection:
            await _impatient(connection)
            await connection.execute(_SQL["lock_horizon"], {"level": "raw"})
            cursor = await connection.execute(_SQL["delete_series"], {"ids": ids})
            await connection.execute(_SQL["renew_epoch"])
            await self.lease.check(connection)
            return cursor.rowcount

    async def _patiently(self, act: Callable[[], Awaitable[None]]) -> bool:
        """Try again while a lock isn't to be had; True where it worked."""
        for attempt in range(1, _TRIES + 1):
            await self.lease.renew()
            try:
                await act()
                return True
            except psycopg.errors.LockNotAvailable:
                await asyncio.sleep(0.1 * attempt)
        log.warning("retention waits for a lock that a long query holds; the next pass tries again")
        return False


class ChunkRetention(Retention):
    """Retention of the tier ``timescaledb``: chunks, besides the partitions that its other tables have."""

    _adjusted = False

    async def follow(self) -> None:
        if not self._adjusted:
            await self._patiently(self._adjust)
        await self._patiently(self._follow)

    async def _adjust(self) -> None:
        async with self.database.connection() as connection:
            await _impatient(connection)
            await policies.adjust(connection, self.settings)
            await self.lease.check(connection)
        self._adjusted = True

    async def _follow(self) -> None:
        async with self.database.connection() as connection:
            await _impatient(connection)
            await policies.follow(connection)
            await self.lease.check(connection)

    async def drop(self) -> list[str]:
        dropped = await super().drop()
        for level, relation in _RELATION.items():
            await self._patiently(partial(self._drop_chunks, level, relation, dropped))
        return dropped

    async def _drop_chunks(self, level: str, relation: str, dropped: list[str]) -> None:
        values = {"level": level, "relation": relation}
        async with self.database.connection() as connection:
            await _impatient(connection)
            row = await (await connection.execute(_SQL["old_chunks"], values)).fetchone()
            if row is None or not row["found"]:
                return
            chunks = [str(row["chunk"]) for row in await (await connection.execute(_SQL["drop_chunks"], values)).fetchall()]
            await self.lease.check(connection)
        dropped += chunks
