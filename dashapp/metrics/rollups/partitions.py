"""Range partitions: made before rows need them, dropped whole when they are too old.

Raw samples and minutes lie in partitions of a day, hours in partitions of a month. Days that are long past (a backfill
with retention ``forever``) get one partition for their month. There is no default partition: it would forbid new
partitions over its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from psycopg import sql as compose

from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.pool import Connection, Database
from dashapp.metrics.clock import DAY, Clock, system_clock

RAW, MINUTES, HOURS = "metrics_raw", "rollup_1min", "rollup_1hour"
INCREASE_MINUTES, INCREASE_HOURS = "rollup_increase_1min", "rollup_increase_1hour"
INCREASES = (INCREASE_MINUTES, INCREASE_HOURS)
PARENTS = (RAW, MINUTES, HOURS, *INCREASES)
#: Days that the job makes ahead, besides today.
AHEAD_DAYS = 2
#: Days older than this share a partition with their month.
_DAILY_DAYS = 45
#: One maker at a time, whichever process.
_LOCK = 0x7061727469

_SQL = sql.load("dashapp.metrics.rollups", "partitions.sql")
_CREATE = compose.SQL("CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)")
_ATTACH = compose.SQL("ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({lower}) TO ({upper})")


@dataclass(frozen=True)
class Partition:
    """One partition: rows of [lower_ms, upper_ms) of `parent`."""

    parent: str
    name: str
    lower_ms: int
    upper_ms: int


async def partitions_of(connection: Connection, parents: Iterable[str] = PARENTS) -> list[Partition]:
    """The partitions that stand, by parent and time."""
    cursor = await connection.execute(_SQL["list"], {"parents": list(parents)})
    return [
        Partition(
            str(row["parent"]), str(row["name"]), to_ms(cast(datetime, row["lower"])), to_ms(cast(datetime, row["upper"]))
        )
        for row in await cursor.fetchall()
    ]  # fmt: skip


def _month(day: datetime) -> tuple[datetime, datetime]:
    start = day.replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


def _planned(parent: str, day_ms: int, now_ms: int, standing: list[Partition]) -> Partition:
    """The partition that `day_ms` should get: its month's where that is past and none of its days has one, else its day's."""
    day = from_ms(day_ms)
    month, after = _month(day)
    lower, upper = to_ms(month), to_ms(after)
    old = parent in (HOURS, INCREASE_HOURS) or upper < now_ms - _DAILY_DAYS * DAY
    if old and not any(part.parent == parent and part.lower_ms < upper and lower < part.upper_ms for part in standing):
        return Partition(parent, f"{parent}_{month:%Y%m}", lower, upper)
    return Partition(parent, f"{parent}_{day:%Y%m%d}", day_ms, day_ms + DAY)


async def make(connection: Connection, days: Iterable[int], now_ms: int, parents: Iterable[str] = PARENTS) -> None:
    """Make what is missing for these days (Unix ms of their midnights), for those `parents` that are partitioned here.

    A partition is attached instead of made in place: attaching lets readers and writers of the parent go on.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    cursor = await connection.execute(_SQL["parents"], {"parents": list(parents)})
    parents = [str(row["parent"]) for row in await cursor.fetchall()]
    standing = await partitions_of(connection, parents)
    for day in sorted(set(days)):
        for parent in parents:
            if any(part.parent == parent and part.lower_ms <= day < part.upper_ms for part in standing):
                continue
            part = _planned(parent, day, now_ms, standing)
            names = {"parent": compose.Identifier(part.parent), "name": compose.Identifier(part.name)}
            # DDL takes no bound parameters; names and bounds are of this module's own making.
            bounds = {"lower": compose.Literal(from_ms(part.lower_ms)), "upper": compose.Literal(from_ms(part.upper_ms))}
            await connection.execute(_CREATE.format(**names))
            await connection.execute(_ATTACH.format(**names, **bounds))
            standing.append(part)


class Partitions:
    """Which days can be written to, remembered in this process."""

    def __init__(self, database: Database, *, clock: Clock = system_clock) -> None:
        self.database, self.clock = database, clock
        self._known: set[int] = set()

    def forget(self) -> None:
        """After a row found no partition: another process dropped one."""
        self._known = set()

    async def ensure(self, days: Iterable[int]) -> None:
        """Make the partitions of these days (Unix ms of their midnights) unless they stand. Safe beside other makers.

        Raises:
            Unavailable: the database can't be reached.
        """
        missing = set(days) - self._known
        if not missing:
            return
        async with self.database.connection() as connection:
            await make(connection, missing, self.clock())
        self._known |= missing

    async def make_ahead(self) -> None:
        """Today's partitions and those of the next days."""
        today = to_ms(datetime.fromtimestamp(self.clock() / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0))
        await self.ensure(today + number * DAY for number in range(AHEAD_DAYS + 1))
