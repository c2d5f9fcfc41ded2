"""Counters' part in the refresh: which metrics are counters, and what is due of them.

A row of `rollup_increase_1min` or `rollup_increase_1hour` says what a counter grew by within one bucket, and its first and
last value. The step into a bucket is made when it is asked for, so that rows of any width add up to the same, and a late
sample changes its own bucket alone: the statements here are those of any rollup (`refresh.sql`), by other formulas.

Metrics that become counters are filled from what raw still holds, some (series, hour) at each step of the refresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, LiteralString, cast

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.timerange import from_ms
from dashapp.database import sql
from dashapp.database.pool import Connection
from dashapp.metrics.clock import DAY, Clock, system_clock
from dashapp.metrics.rollups.partitions import INCREASES, make, partitions_of

_Ids = NDArray[np.int64]

_SQL = sql.load("dashapp.metrics.rollups", "increase.sql")


@dataclass(frozen=True)
class Due:
    """What a step computes of counters besides what is due of all series."""

    #: Whether there are counters at all.
    counters: bool
    #: (series, hour in Unix ms), both of shape (n,).
    series: _Ids
    hours: _Ids
    #: Whether more is due after these.
    more: bool


class Increases:
    """Used by the refresh alone, inside its transaction."""

    #: With the names, parameters and answers of those in refresh.sql.
    statements: ClassVar[Mapping[str, LiteralString]] = {
        "minutes_of_range": _SQL["minutes"].replace("{samples}", _SQL["of_range"]),
        "minutes_of_minutes": _SQL["minutes"].replace("{samples}", _SQL["of_minutes"]),
        "minutes_of_hours": _SQL["minutes"].replace("{samples}", _SQL["of_hours"]),
        "hours_of_range": _SQL["hours"].replace("{minutes}", _SQL["minutes_from_to"]),
        "hours_of_hours": _SQL["hours"].replace("{minutes}", _SQL["minutes_of_pairs"]),
    }

    def __init__(self, clock: Clock = system_clock) -> None:
        self.clock = clock

    async def take(self, connection: Connection, raw_horizon: int, upto: int, limit: int) -> Due:
        """Bring the list of counters up to date, and take at most `limit` (series, hour) of those that are new."""
        await connection.execute(_SQL["leave"])
        await connection.execute(_SQL["join"], {"horizon": from_ms(raw_horizon)})
        row = cast(dict[str, Any], await (await connection.execute(_SQL["count"])).fetchone())
        none = np.empty(0, np.int64)
        if not row["pending"]:
            return Due(bool(row["counters"]), none, none, more=False)
        values = {"from": from_ms(raw_horizon), "to": from_ms(upto), "limit": limit}
        cursor = await connection.execute(_SQL["take_pending"], values, binary=True)
        found = cast(dict[str, Any], await cursor.fetchone())
        series, hours = (none, none) if found["series"] is None else (found["series"], found["hours"])
        done = series.size < limit
        reached = {"series": None if done else int(series[-1]), "hour": None if done else from_ms(int(hours[-1]))}
        await connection.execute(_SQL["put_pending"], {"metric": found["metric_id"], **reached})
        return Due(True, series, hours, more=not done or int(row["pending"]) > 1)

    async def make_room(self, connection: Connection, moments: Iterable[int]) -> None:
        """Make the partitions of these moments (Unix ms), where days have none from before there were counters."""
        standing = await partitions_of(connection, INCREASES)
        days = {moment // DAY * DAY for moment in moments}
        missing = [day for day in days if sum(part.lower_ms <= day < part.upper_ms for part in standing) < len(INCREASES)]
        if missing:
            await make(connection, missing, self.clock(), INCREASES)
