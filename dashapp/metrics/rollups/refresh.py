"""The refresh, and the rollups of the tier ``postgres``: 1 minute from raw, 1 hour from minutes, in one transaction a step.

A step deletes dirty rows, then reads raw (so that a row it deleted is a sample it sees), replaces both levels, and moves
the watermarks. A writer that commits in between leaves its dirty rows for the next step. Nothing is ever computed where
raw samples have been dropped: that would erase history.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray

from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.leases import Lease, LeaseLost
from dashapp.database.pool import Connection, Database, StatementTimeout
from dashapp.metrics.clock import HISTORY_MS, HOUR, MINUTE, RECENT_MS, Clock, floor_to, system_clock
from dashapp.metrics.rollups import dirty
from dashapp.metrics.rollups.increase import Increases

log = logging.getLogger(__name__)

_SQL = sql.load("dashapp.metrics.rollups", "refresh.sql")
#: (series, hour) rows of one step; each reads an hour of one series.
DIRTY_HOURS_A_STEP = 2_000
#: What one step may move the watermark by: at first, at least and at most. It adapts to how long steps take, because a
#: step must end well before the lease does.
_WINDOW_MS, _NARROWEST_MS, _WIDEST_MS = HOUR, MINUTE, 24 * HOUR
_QUICK_SECONDS, _SLOW_SECONDS = 0.5, 3.0

Ids = NDArray[np.int64]


def no_ids() -> Ids:
    return np.empty(0, np.int64)


@dataclass
class Work:
    """What one step computes. Moments are Unix ms; `pairs` are (series, hour)."""

    raw_horizon: int
    minutes_from: int
    minutes_to: int
    hours_from: int
    hours_to: int
    dirty_minutes: Ids = field(default_factory=no_ids)
    pair_series: Ids = field(default_factory=no_ids)
    pair_hours: Ids = field(default_factory=no_ids)
    #: Whether there are counters, whose increases are kept too.
    counters: bool = False
    #: (series, hour) of counters of which only the increases are missing.
    due_series: Ids = field(default_factory=no_ids)
    due_hours: Ids = field(default_factory=no_ids)

    def hours_touched(self) -> list[int]:
        """Every hour in which a series that fails would miss something."""
        hours = {*(self.dirty_minutes // HOUR * HOUR).tolist()}
        hours |= (
            set(range(floor_to(self.minutes_from, HOUR), self.minutes_to, HOUR)) if self.minutes_from < self.minutes_to else set()
        )
        hours |= set(range(self.hours_from, self.hours_to, HOUR))
        return [hour for hour in hours if hour >= self.raw_horizon]


class Refresh:
    """Keeps the rollups true. Each `step` is one transaction under the lease."""

    def __init__(self, database: Database, lease: Lease, *, clock: Clock = system_clock) -> None:
        self.database, self.lease, self.clock = database, lease, clock
        self.increases = Increases(clock)
        self.window_ms = _WINDOW_MS
        #: Series that can't be rolled up, and why. They are computed apart from the others.
        self.faulty: dict[int, str] = {}

    async def step(self) -> bool:
        """Compute some of what is due; True where more is.

        Raises:
            LeaseLost: another process leads now.
            StatementTimeout: not even the narrowest step ends in time.
            Unavailable: the database can't be reached.
        """
        began = time.monotonic()
        try:
            more = await self._transaction()
        except StatementTimeout:
            if self.window_ms <= _NARROWEST_MS:
                raise
            self._narrow(4)
            return True
        except LeaseLost:
            # It may have run out in a step that took too long, with nobody there to take it.
            if time.monotonic() - began > _SLOW_SECONDS:
                self._narrow(4)
            raise
        seconds = time.monotonic() - began
        if seconds > _SLOW_SECONDS:
            self._narrow(2)
        elif seconds < _QUICK_SECONDS:
            self.window_ms = min(_WIDEST_MS, self.window_ms * 2)
        return more

    def _narrow(self, by: int) -> None:
        self.window_ms = max(_NARROWEST_MS, floor_to(self.window_ms // by, MINUTE))
        log.warning("a refresh took too long; computing at most %d min of data at a time", self.window_ms // MINUTE)

    async def _transaction(self) -> bool:
        async with self.database.connection() as connection:
            work, target = await self._due(connection)
            rows = await self._take_dirty(connection, work)
            pending = await self._take_counters(connection, work)
            faults: dict[int, str] = {}
            late = [no_ids()]
            for low, high in await self._ranges(connection):
                late.append(await self._apply(connection, work, low, high, faults))
            await self._set_aside(connection, work, faults)
            await connection.execute(
                _SQL["move_watermarks"], {"minutes": from_ms(work.minutes_to), "hours": from_ms(work.hours_to)}
            )
            changed = np.unique(np.concatenate(late))
            raised, wanted = await _raise_generations(connection, changed, no_ids())
            await self.lease.check(connection)
        self.faulty = faults
        if raised.size < wanted:
            # Held by ingest before. Who holds one still, raises it when it commits, and that is after this commit.
            async with self.database.connection() as connection:
                await _raise_generations(connection, changed, raised)
        return work.minutes_to < target or rows >= DIRTY_HOURS_A_STEP or pending

    async def _due(self, connection: Connection) -> tuple[Work, int]:
        """The work but for dirty rows, and where the watermark of minutes should stand (Unix ms)."""
        cursor = await connection.execute(_SQL["watermarks"])
        marks = {str(row["level"]): to_ms(cast(datetime, row["watermark"])) for row in await cursor.fetchall()}
        cursor = await connection.execute("SELECT horizon FROM retention_horizons WHERE level = 'raw'")
        row = await cursor.fetchone()
        raw_horizon = to_ms(cast(datetime, row["horizon"])) if row else 0
        target = max(marks["1min"], floor_to(self.clock() - HISTORY_MS, MINUTE))
        minutes_to = min(target, marks["1min"] + self.window_ms)
        # Hours follow when late points of theirs come as (series, hour): so the first ten minutes of an hour don't
        # compute the whole last one again and again.
        hours_to = max(marks["1hour"], floor_to(minutes_to - RECENT_MS, HOUR))
        return Work(raw_horizon, marks["1min"], minutes_to, marks["1hour"], hours_to), target

    async def _take_dirty(self, connection: Connection, work: Work) -> int:
        """Delete dirty rows into `work`, but for what the watermark hasn't passed; how many (series, hour) rows there were."""
        cursor = await connection.execute(_SQL["take_dirty_minutes"], binary=True)
        row = cast(dict[str, Any], await cursor.fetchone())
        if row["minutes"] is not None:
            minutes = cast(Ids, row["minutes"])
            work.dirty_minutes = minutes[(minutes >= work.raw_horizon) & (minutes < work.minutes_from)]
        cursor = await connection.execute(_SQL["take_dirty_hours"], {"limit": DIRTY_HOURS_A_STEP}, binary=True)
        row = cast(dict[str, Any], await cursor.fetchone())
        if row["series"] is not None:
            kept = (row["hours"] >= work.raw_horizon) & (row["hours"] < work.minutes_to)
            work.pair_series, work.pair_hours = row["series"][kept], row["hours"][kept]
        return int(row["rows"])

    async def _take_counters(self, connection: Connection, work: Work) -> bool:
        """What is due of counters, into `work`; True where more is."""
        due = await self.increases.take(connection, work.raw_horizon, work.minutes_to, DIRTY_HOURS_A_STEP)
        work.counters, work.due_series, work.due_hours = due.counters, due.series, due.hours
        if work.counters:
            days = [*work.hours_touched(), *work.pair_hours.tolist(), *work.due_hours.tolist()]
            await self.increases.make_room(connection, days)
        return due.more

    async def _ranges(self, connection: Connection) -> list[tuple[int, int]]:
        """All series as ranges of ids, with each known faulty one by itself."""
        row = await (await connection.execute(_SQL["series_beyond"])).fetchone()
        beyond = int(str(row["beyond"])) if row else 1
        edges = sorted({0, beyond, *self.faulty, *(series + 1 for series in self.faulty)})
        return [(low, high) for low, high in itertools.pairwise(edges) if high <= beyond]

    async def _apply(self, connection: Connection, work: Work, low: int, high: int, faults: dict[int, str]) -> Ids:
        """Compute series [low, high); where that fails, halve until the one at fault stands alone. Ids that changed late."""
        try:
            async with connection.transaction():
                return await self._compute(connection, work, low, high)
        except psycopg.DataError as error:
            if high - low <= 1:
                faults[low] = str(error).strip().splitlines()[0]
                return no_ids()
        middle = (low + high) // 2
        left = await self._apply(connection, work, low, middle, faults)
        return np.concatenate([left, await self._apply(connection, work, middle, high, faults)])

    async def _compute(self, connection: Connection, work: Work, low: int, high: int) -> Ids:
        """All that a step writes about series [low, high); ids of those that changed late."""
        late = await self._roll_up(connection, work, low, high)
        if work.counters:
            pair_series = np.concatenate([work.pair_series, work.due_series])
            pair_hours = np.concatenate([work.pair_hours, work.due_hours])
            late += await self._write(connection, self.increases.statements, work, pair_series, pair_hours, low, high)
        return np.unique(np.concatenate([no_ids(), *late]))

    async def _roll_up(self, connection: Connection, work: Work, low: int, high: int) -> list[Ids]:
        return await self._write(connection, _SQL, work, work.pair_series, work.pair_hours, low, high)

    async def _write(
        self, connection: Connection, statements: Mapping[str, LiteralString], work: Work, pair_series: Ids, pair_hours: Ids,
        low: int, high: int,
    ) -> list[Ids]:  # fmt: skip
        """Write both levels of one kind of rollup. Ids that changed late."""
        series: dict[str, object] = {"low": low, "high": high}
        start = max(work.minutes_from, work.raw_horizon)
        if start < work.minutes_to:
            await connection.execute(
                statements["minutes_of_range"], series | {"from": from_ms(start), "to": from_ms(work.minutes_to)}
            )
        late: list[tuple[Ids, Ids]] = []
        if work.dirty_minutes.size:
            values = series | {"minutes": dirty.moments(work.dirty_minutes)}
            late += await _changed(connection, statements["minutes_of_minutes"], values)
        inside = (pair_series >= low) & (pair_series < high)
        if inside.any():
            values = series | {
                "series": pair_series[inside], "hours": dirty.moments(pair_hours[inside]), "to": from_ms(work.minutes_to),
            }  # fmt: skip
            late += await _changed(connection, statements["minutes_of_hours"], values)
        start = max(work.hours_from, work.raw_horizon)
        if start < work.hours_to:
            await connection.execute(statements["hours_of_range"], series | {"from": from_ms(start), "to": from_ms(work.hours_to)})
        for ids, hours in late:
            passed = hours < work.hours_from
            if passed.any():
                await connection.execute(
                    statements["hours_of_hours"], {"series": ids[passed], "hours": dirty.moments(hours[passed])}
                )
        return [ids for ids, _ in late]

    async def _set_aside(self, connection: Connection, work: Work, faults: dict[int, str]) -> None:
        """Leave what faulty series miss as dirty rows, so that it is made up for once their samples are corrected."""
        for series, reason in faults.items():
            hours = {*work.hours_touched(), *work.pair_hours[work.pair_series == series].tolist()}
            hours |= {*work.due_hours[work.due_series == series].tolist()}
            marked = np.array(sorted(hours), np.int64)
            await dirty.mark_hours(connection, np.full(marked.size, series), marked)
            if series not in self.faulty:
                row = await (await connection.execute(_SQL["describe"], {"series": series})).fetchone()
                name = row["text"] if row else "deleted"
                faults[series] = f"series {series} ({name}) can't be rolled up: {reason}"
                log.error("%s", faults[series])
            else:
                faults[series] = self.faulty[series]


async def _raise_generations(connection: Connection, series: Ids, raised: Ids) -> tuple[Ids, int]:
    """Raise those of the series' metrics but for `raised`; ids of the metrics that were raised, and how many metrics there are."""
    if not series.size:
        return no_ids(), 0
    cursor = await connection.execute(_SQL["raise_generations"], {"series": series, "raised": raised}, binary=True)
    row = cast(dict[str, Any], await cursor.fetchone())
    return no_ids() if row["raised"] is None else row["raised"], int(row["wanted"])


async def _changed(connection: Connection, statement: LiteralString, values: dict[str, object]) -> list[tuple[Ids, Ids]]:
    """Run one of the statements that answer which (series, hour) changed."""
    cursor = await connection.execute(statement, values, binary=True)
    row = cast(dict[str, Any], await cursor.fetchone())
    return [] if row["series"] is None else [(row["series"], row["hours"])]
