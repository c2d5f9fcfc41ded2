"""What is active, as figures: ``ALERTS{rule,severity,state}`` for ``/metrics``, and as samples of a metric for dashboards."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast

from dashapp.alerts.evaluator import Evaluator
from dashapp.contract.metrics import Point
from dashapp.database.pool import Database
from dashapp.errors import DashappError
from dashapp.metrics.clock import MINUTE
from dashapp.metrics.ingest import Ingest

log = logging.getLogger(__name__)

METRIC = "ALERTS"
#: Rules with active instances that are shown.
MOST = 1_000


@dataclass(frozen=True)
class Active:
    """Instances of rules of a name and severity that are in a state."""

    rule: str
    severity: str
    state: str
    instances: int


class ActiveAlerts:
    """Kept up to date by `look` after each tick, in every process; the one that judges writes the samples."""

    def __init__(self, database: Database, ingest: Ingest, evaluator: Evaluator) -> None:
        self._database, self._ingest, self._evaluator = database, ingest, evaluator
        self.now: list[Active] = []
        self._written: dict[tuple[str, str, str], int] = {}
        self._written_at = 0

    async def look(self, tick_ms: int) -> None:
        """Read what is active, and write it down where this process judges: once a minute, and when it changes.

        Raises:
            Unavailable: the database can't be reached.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT r.name, r.severity, i.state, count(*) AS instances"
                " FROM alert_instances i JOIN alert_rules r ON r.id = i.rule_id"
                " WHERE i.state <> 'ok' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %s",
                (MOST,),
            )
            self.now = [
                Active(str(row["name"]), str(row["severity"]), str(row["state"]), cast(int, row["instances"]))
                for row in await cursor.fetchall()
            ]
        if self._evaluator.figures.leading:
            await self._write(tick_ms)

    async def _write(self, tick_ms: int) -> None:
        current = {(one.rule, one.severity, one.state): one.instances for one in self.now}
        if current == self._written and tick_ms // MINUTE == self._written_at // MINUTE:
            return
        # What has ended is zero once; from then on there are no samples.
        ended = dict.fromkeys(self._written.keys() - current.keys(), 0)
        points = [
            Point(name=METRIC, value=float(number), tags={"rule": rule, "severity": severity, "state": state}, timestamp=tick_ms)
            for (rule, severity, state), number in {**ended, **current}.items()
        ]
        self._written, self._written_at = current, tick_ms
        try:
            if points:
                await self._ingest.write(points)
        except (DashappError, ValueError) as error:
            log.warning("active alerts could not be written as samples: %s", error)
