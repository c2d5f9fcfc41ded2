"""Rollups of the tier ``timescaledb``: continuous aggregates, which dashapp's own job refreshes where samples came late.

A refresh of an aggregate can't be part of a transaction. So a step first looks at the dirty rows, then refreshes the windows
that they name and those that the watermark passes over, minutes before hours and old before new (an aggregate answers
from raw only beyond its newest refreshed bucket), and last deletes just the rows that it looked at, in one transaction
with what else the step writes. A step that is cut short leaves them for the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import psycopg

from dashapp.contract.timerange import from_ms
from dashapp.database import sql
from dashapp.database.leases import LeaseLost
from dashapp.database.pool import Connection
from dashapp.metrics.clock import HOUR, MINUTE, floor_to
from dashapp.metrics.rollups import dirty
from dashapp.metrics.rollups.refresh import Ids, Refresh, Work, no_ids

log = logging.getLogger(__name__)

_SQL = sql.load("dashapp.metrics.rollups", "aggregates.sql")
#: Dirty rows that one step looks at, of each kind.
ROWS_A_STEP = 2_000
#: Hours that one step refreshes because of late samples: each may hold as much as the aggregate of all series.
HOURS_A_STEP = 24

#: [start, end) in Unix ms.
Window = tuple[int, int]


def joined(windows: Iterable[Window], widest_ms: int) -> list[Window]:
    """The same moments in as few windows as can be, oldest first, none wider than `widest_ms`."""
    runs: list[Window] = []
    for start, end in sorted(windows):
        if start >= end:
            continue
        if runs and start <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    return [(at, min(at + widest_ms, end)) for start, end in runs for at in range(start, end, widest_ms)]


@dataclass
class _Seen:
    """What a step has looked at: its work, where the watermark should stand, and the dirty rows by their place."""

    work: Work
    target: int
    places: list[str]
    more: bool


class AggregateRefresh(Refresh):
    """Keeps the continuous aggregates true."""

    _seen: _Seen | None = None

    async def _transaction(self) -> bool:
        async with self.database.connection() as connection:
            work, target = await super()._due(connection)
            self._seen = seen = await self._look(connection, work, target)
        try:
            try:
                for relation, windows in _windows(work, self.window_ms):
                    for window in windows:
                        await self._refresh(relation, window)
            except psycopg.errors.LockNotAvailable:  # a policy refreshes just now
                log.info("TimescaleDB refreshes the rollups itself just now; the next pass goes on")
                return False
            return await super()._transaction() or seen.more
        finally:
            self._seen = None

    async def _refresh(self, relation: str, window: Window) -> None:
        if not await self.lease.renew():
            raise LeaseLost(self.lease.name)
        async with self.database.autocommit() as connection:
            await connection.execute(
                _SQL["refresh"], {"relation": relation, "start": from_ms(window[0]), "end": from_ms(window[1])}
            )

    async def _look(self, connection: Connection, work: Work, target: int) -> _Seen:
        """Complete `work` by dirty rows, oldest first, without deleting them."""
        cursor = await connection.execute(_SQL["look_minutes"], {"limit": ROWS_A_STEP}, binary=True)
        row = cast(dict[str, Any], await cursor.fetchone())
        places: list[str] = row["places"] or []
        more = len(places) >= ROWS_A_STEP
        if row["minutes"] is not None:
            work.dirty_minutes = row["minutes"][(row["minutes"] >= work.raw_horizon) & (row["minutes"] < work.minutes_from)]
        cursor = await connection.execute(_SQL["look_hours"], {"limit": ROWS_A_STEP}, binary=True)
        row = cast(dict[str, Any], await cursor.fetchone())
        if row["series"] is not None:
            hours = cast(Ids, row["hours"])
            due = np.unique(hours[hours >= work.raw_horizon])
            last = due[min(due.size, HOURS_A_STEP) - 1] if due.size else 0
            taken = hours <= max(last, work.raw_horizon - 1)
            places += [place for place, take in zip(row["places"], taken, strict=True) if take]
            more = more or hours.size >= ROWS_A_STEP or not taken.all()
            kept = taken & (hours >= work.raw_horizon) & (hours < work.minutes_to)
            work.pair_series, work.pair_hours = row["series"][kept], hours[kept]
        return _Seen(work, target, places, more)

    # -- the transaction that closes the step ------------------------------------------------------------------

    async def _due(self, connection: Connection) -> tuple[Work, int]:
        if self._seen is None:
            return await super()._due(connection)
        return self._seen.work, self._seen.target

    async def _take_dirty(self, connection: Connection, work: Work) -> int:  # noqa: ARG002 - `_look` has done it
        # A place is a row for as long as the row stands, and only the job that holds the lease deletes any.
        if self._seen is not None and self._seen.places:
            await connection.execute(_SQL["delete_seen"], {"places": self._seen.places})
        return 0

    async def _roll_up(self, connection: Connection, work: Work, low: int, high: int) -> list[Ids]:
        """The aggregates stand already: only which series had samples in late minutes."""
        pairs = work.pair_series[(work.pair_series >= low) & (work.pair_series < high)]
        if not work.dirty_minutes.size:
            return [pairs]
        values = {"minutes": dirty.moments(work.dirty_minutes), "low": low, "high": high}
        row = cast(dict[str, Any], await (await connection.execute(_SQL["series_of_minutes"], values, binary=True)).fetchone())
        return [pairs, no_ids() if row["series"] is None else row["series"]]


def _windows(work: Work, widest_ms: int) -> list[tuple[str, list[Window]]]:
    """What a step refreshes, by relation, in order. Never where raw samples have been dropped: that would erase history."""
    late = [(minute, minute + MINUTE) for minute in work.dirty_minutes.tolist()]
    late += [(hour, min(hour + HOUR, work.minutes_to)) for hour in np.unique(work.pair_hours).tolist()]
    minutes = [*late, (max(work.minutes_from, work.raw_horizon), work.minutes_to)]
    hours = [(floor_to(start, HOUR), floor_to(start, HOUR) + HOUR) for start, _ in late]
    hours = [window for window in hours if window[1] <= work.hours_to]
    hours.append((max(work.hours_from, work.raw_horizon), work.hours_to))
    return [("metrics_1min", joined(minutes, widest_ms)), ("metrics_1hour", joined(hours, max(HOUR, floor_to(widest_ms, HOUR))))]
