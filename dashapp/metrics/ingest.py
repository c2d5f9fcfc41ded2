"""The one write path: points in, an answer after the commit.

Requests that arrive while transactions are under way are merged into the next one. A merged transaction that fails is
tried again request by request, so that nobody fails for another's points.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np
import psycopg

from dashapp.contract.metrics import Point
from dashapp.contract.timerange import to_ms
from dashapp.database import sql
from dashapp.database.pool import Connection, Database
from dashapp.errors import DashappError, Unavailable, ValidationFailed
from dashapp.metrics.batches import Batch, PointsRefused, Rows
from dashapp.metrics.clock import DAY, Clock, system_clock
from dashapp.metrics.rollups import dirty
from dashapp.metrics.rollups.partitions import Partitions
from dashapp.metrics.series import Key, SeriesIds, SeriesLimitReached
from dashapp.settings import Settings

log = logging.getLogger(__name__)

_SQL = sql.load("dashapp.metrics", "ingest.sql")
#: Rows of one statement, and about the points of one transaction.
ROWS_A_STATEMENT = 5_000
#: Points that may wait; beyond, senders are told to come back.
WAITING_POINTS = 200_000
#: Transactions that may be under way: while one is committed, the next one's rows are on their way.
_WRITERS = 2
_TRIES = 6
_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)


@dataclass(frozen=True)
class _Request:
    batch: Batch
    answer: asyncio.Future[int]

    def succeed(self) -> None:
        if not self.answer.done():  # a sender that went away has cancelled it
            self.answer.set_result(len(self.batch))

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class _IdsVanished(Exception):
    """A series was deleted since the ids were asked for."""


class Ingest:
    """Writes points. `start` it on the loop that uses it; `stop` writes what waits."""

    def __init__(self, database: Database, settings: Settings, *, clock: Clock = system_clock) -> None:
        self.database, self.settings, self.clock = database, settings, clock
        self.series = SeriesIds(database, settings.max_series)
        self.partitions = Partitions(database, clock=clock)
        #: Samples that protocols left out, by (protocol, reason), and samples written, since the start.
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.samples_written = 0
        self._waiting: deque[_Request] = deque()
        self._waiting_points = 0
        self._wake = asyncio.Event()
        self._writers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        if not self._writers:
            self._stopping = False
            self._writers = [asyncio.create_task(self._run(), name=f"dashapp-ingest-{number}") for number in range(_WRITERS)]

    async def stop(self) -> None:
        """Write what waits, then refuse more."""
        self._stopping = True
        self._wake.set()
        await asyncio.gather(*self._writers)
        self._writers = []

    async def write(self, points: Batch | Sequence[Point]) -> int:
        """Store points, all or none; the number of points, after the commit.

        Raises:
            ValidationFailed: points are too old or too far ahead; `details` names each as ``points.17.timestamp``.
            RateLimited: a new series would exceed ``MAX_SERIES``.
            Unavailable: too much waits already, or the database can't be reached.
        """
        if not len(points):
            return 0
        self.check_room(len(points))
        now_ms = self.clock()
        batch = points if isinstance(points, Batch) else Batch.of(points, now_ms)
        batch.check_times(now_ms, self.settings.retention_raw)
        request = _Request(batch, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._waiting_points += len(batch)
        self._wake.set()
        return await request.answer

    async def write_valid(self, batch: Batch) -> Counter[str]:
        """Store what can be stored, in parts; how many points were left out, by reason.

        Raises:
            Unavailable: too much waits already, or the database can't be reached. Some parts may be stored: the same again
                replaces them.
        """
        left_out: Counter[str] = Counter()
        for at in range(0, len(batch), ROWS_A_STATEMENT):
            part = batch.part(slice(at, at + ROWS_A_STATEMENT))
            while len(part):
                try:
                    await self.write(part)
                    break
                except PointsRefused as refused:
                    bad, reason = refused.bad, refused.reason
                except SeriesLimitReached:
                    held = await self.series.held(part.keys)
                    new = np.array([key not in held for key in part.keys])
                    bad, reason = new[part.index], "series_limit"
                left_out[reason] += int(bad.sum())
                part = part.part(~bad)
        return left_out

    @property
    def waiting(self) -> int:
        """Points that wait to be written, or are being written."""
        return self._waiting_points

    def check_room(self, points: int = 1) -> None:
        """
        Raises:
            Unavailable: so many points more can't wait.
        """
        if not self._writers or self._stopping:
            raise Unavailable("dashapp takes no points just now, it is starting or stopping; try again shortly.")
        if self._waiting_points + points > WAITING_POINTS:
            raise Unavailable(f"{self._waiting_points} points wait to be written already; try again shortly.", retry_after=5)

    # -- writing -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            group = self._next_group()
            try:
                await self._write_group(group)
            except BaseException as error:
                for request in group:
                    request.fail(Unavailable() if isinstance(error, asyncio.CancelledError) else error)
                if not isinstance(error, Exception):
                    raise
                log.exception("writing %d requests failed", len(group))
            finally:
                self._waiting_points -= sum(len(request.batch) for request in group)

    def _next_group(self) -> list[_Request]:
        group = [self._waiting.popleft()]
        points = len(group[0].batch)
        while self._waiting and points + len(self._waiting[0].batch) <= ROWS_A_STATEMENT:
            group.append(self._waiting.popleft())
            points += len(group[-1].batch)
        return group

    async def _write_group(self, group: list[_Request]) -> None:
        try:
            await self._commit(group)
        except Unavailable as error:  # the database is away for each of them
            for request in group:
                request.fail(error)
        except (DashappError, psycopg.Error) as error:
            if len(group) == 1:
                group[0].fail(error)
                return
            log.info("a transaction of %d requests failed (%s); trying each alone", len(group), type(error).__name__)
            for request in group:
                await self._write_group([request])

    async def _commit(self, group: list[_Request]) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                await self._transaction(group)
                return
            except _IdsVanished:
                continue
            except psycopg.errors.CheckViolation:  # no partition: another process has dropped one that this one remembers
                self.partitions.forget()
                if attempt == _TRIES:
                    raise
            except _AGAIN:
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise Unavailable("series are being deleted just now; try again shortly.")

    async def _transaction(self, group: list[_Request]) -> None:
        batches = [request.batch for request in group]
        days = np.unique(np.concatenate([batch.times for batch in batches]) // DAY) * DAY
        await self.partitions.ensure(days.tolist())
        epoch = self.series.epoch
        ids = await self.series.resolve({key for batch in batches for key in batch.keys})
        accepted: list[_Request] = []
        refused: list[tuple[_Request, ValidationFailed]] = []
        async with self.database.connection() as connection:
            horizon_ms = await self._check_epoch(connection, epoch)
            for request in group:
                try:
                    request.batch.check_horizon(horizon_ms)
                    accepted.append(request)
                except ValidationFailed as error:
                    refused.append((request, error))
            if accepted:
                await self._store(connection, [request.batch for request in accepted], ids)
        for request, why in refused:
            request.fail(why)
        for request in accepted:
            self.samples_written += len(request.batch)
            request.succeed()

    async def _check_epoch(self, connection: Connection, epoch: str | None) -> int:
        """The raw horizon, Unix ms. `epoch` is that of the ids: another writer may have moved the memory's on."""
        row = await (await connection.execute(_SQL["horizon"])).fetchone()
        if row is None:
            raise DashappError("the table retention_horizons has no row 'raw'; restore it from a backup.")
        if row["epoch"] != epoch:
            if row["epoch"] != self.series.epoch:
                self.series.forget(str(row["epoch"]))
            raise _IdsVanished
        return to_ms(cast(datetime, row["horizon"]))

    async def _store(self, connection: Connection, batches: Sequence[Batch], ids: Mapping[Key, int]) -> None:
        rows = Rows.of(batches, ids)
        now_ms = self.clock()
        for at in range(0, rows.series.size, ROWS_A_STATEMENT):
            part = slice(at, at + ROWS_A_STATEMENT)
            await connection.execute(
                _SQL["upsert"], {"series": rows.series[part], "times": dirty.moments(rows.times[part]), "values": rows.values[part]}
            )
        await dirty.mark(connection, rows.series, rows.times, now_ms)
        names: set[str] = set().union(*(batch.changed_history(now_ms) for batch in batches))
        if names:  # last, because the rows stay locked until the commit
            await connection.execute(_SQL["raise_generations"], {"names": sorted(names)})
