"""TimescaleDB's policies, the backstop of dashapp's own storage job: set as the retention settings say, and looked at.

A policy drops days later than the job does. Refresh policies never reach back to raw samples that may have been dropped:
that would erase history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from dashapp.contract.timerange import to_ms
from dashapp.database import sql
from dashapp.database.pool import Connection
from dashapp.settings import Settings

_NAMED = sql.load("dashapp.metrics.rollups", "policies.sql")
_SQL = {name: text.replace("{jobs}", _NAMED["jobs"]) for name, text in _NAMED.items()}
#: How much later than its retention a policy drops. The job drops a day later; a policy comes into play only where no
#: dashapp has run for two days more.
LATER = timedelta(days=3)


@dataclass(frozen=True)
class Policy:
    """One of TimescaleDB's jobs on dashapp's relations. Moments are Unix ms."""

    #: ``refresh``, ``retention`` or ``columnstore``.
    kind: str
    relation: str
    #: False where the retention is ``forever``.
    scheduled: bool
    runs: int
    failures: int
    #: The last run, None before the first.
    finished_at: int | None
    #: Why the last run failed, None where it went well.
    error: str | None


async def adjust(connection: Connection, settings: Settings) -> None:
    """Set what depends on the retention settings. A job that is right already stays as it is."""
    retentions = {
        "metrics_raw": settings.retention_raw, "metrics_1min": settings.retention_1min, "metrics_1hour": settings.retention_1hour
    }  # fmt: skip
    for relation, retention in retentions.items():
        values = {"relation": relation, "after": None if retention is None else retention + LATER}
        await connection.execute(_SQL["adjust_retention"], values)
    for relation in ("metrics_1min", "metrics_1hour"):
        await connection.execute(_SQL["adjust_refresh"], {"relation": relation, "start": settings.retention_raw})


async def follow(connection: Connection) -> None:
    """Advance the stored horizons to what the policies have dropped. What is held is what the horizons say."""
    await connection.execute(_SQL["follow"])


async def policies(connection: Connection) -> list[Policy]:
    """Every policy, by relation."""
    cursor = await connection.execute(_SQL["list"])
    return [
        Policy(
            str(row["kind"]), str(row["relation"]), bool(row["scheduled"]), int(str(row["runs"])), int(str(row["failures"])),
            None if row["finished_at"] is None else to_ms(cast(datetime, row["finished_at"])), cast("str | None", row["error"]),
        )
        for row in await cursor.fetchall()
    ]  # fmt: skip
