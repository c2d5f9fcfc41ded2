"""What a transaction of ingest touched, so that the refresh computes it anew.

Append-only: no unique key and no ``ON CONFLICT``, because an insert that is ignored beside a running refresh would lose a
point for ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dashapp.database import sql
from dashapp.database.pool import Connection
from dashapp.metrics.clock import HOUR, MINUTE, RECENT_MS

_SQL = sql.load("dashapp.metrics.rollups", "dirty.sql")


def moments(ms: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Unix ms as a column of timestamptz."""
    return ms.astype("datetime64[ms]")


async def mark(connection: Connection, series: NDArray[np.int64], times: NDArray[np.int64], now_ms: int) -> None:
    """One row for each distinct minute newer than ten minutes, one for each (series, hour) of older samples.

    `series` ids and `times` (Unix ms) have shape (n,).
    """
    recent = times >= now_ms - RECENT_MS
    if recent.any():
        minutes = np.unique(times[recent] // MINUTE) * MINUTE
        await connection.execute(_SQL["minutes"], {"minutes": moments(minutes)})
    if not recent.all():
        pairs = np.unique(np.stack([series[~recent], times[~recent] // HOUR * HOUR]), axis=1)
        await mark_hours(connection, pairs[0], pairs[1])


async def mark_hours(connection: Connection, series: NDArray[np.int64], hours: NDArray[np.int64]) -> None:
    """One row for each (series id, hour in Unix ms); both of shape (n,)."""
    await connection.execute(_SQL["hours"], {"series": series, "hours": moments(hours)})
