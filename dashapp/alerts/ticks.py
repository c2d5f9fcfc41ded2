"""Ticks: multiples of ``ALERT_INTERVAL`` on the database's clock, the one that all processes share."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from dashapp.contract.timerange import to_ms
from dashapp.database.pool import Database
from dashapp.metrics.clock import Clock, floor_to
from dashapp.settings import Settings


class Ticks:
    """The clock that alerts go by; tests hand in one of their own."""

    def __init__(self, database: Database, settings: Settings, *, clock: Clock | None = None) -> None:
        self._database, self._clock = database, clock
        self.interval_ms = int(settings.alert_interval.total_seconds() * 1000)

    async def now(self) -> int:
        """Unix ms.

        Raises:
            Unavailable: the database can't be reached.
        """
        if self._clock is not None:
            return self._clock()
        async with self._database.connection() as connection:
            row = await (await connection.execute("SELECT clock_timestamp() AS now")).fetchone()
        assert row is not None
        return to_ms(cast(datetime, row["now"]))

    async def newest(self) -> int:
        """The newest tick that has come."""
        return floor_to(await self.now(), self.interval_ms)
