"""Alerts on a fresh database, with a clock that the test moves: what is written, judged and told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dashapp.alerts.evaluator import Evaluator
from dashapp.alerts.events import History
from dashapp.alerts.rules import Rules
from dashapp.alerts.silences import Silences
from dashapp.alerts.ticks import Ticks
from dashapp.contract.alerts import Event, Rule, RuleDefinition
from dashapp.contract.metrics import Point
from dashapp.contract.timerange import to_ms
from dashapp.database.leases import Lease
from dashapp.database.pool import Database
from dashapp.metrics.clock import floor_to, system_clock
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.query import Reader
from dashapp.settings import Settings
from tests.metrics.model import ManualClock

TICK, MINUTE, HOUR, DAY = 10_000, 60_000, 3_600_000, 86_400_000


@dataclass
class World:
    database: Database
    settings: Settings
    clock: ManualClock
    ingest: Ingest
    reader: Reader
    ticks: Ticks
    rules: Rules
    evaluator: Evaluator
    history: History
    silences: Silences
    made: int = field(default=0)

    @property
    def now(self) -> int:
        return self.clock.now_ms

    async def rule(self, **more: Any) -> Rule:
        """A rule that judges from now on: above 10, at once."""
        self.made += 1
        fields = {"name": f"r{self.made}", "query": "m", "condition": "gt", "threshold": 10.0} | more
        rule = await self.rules.create(None, RuleDefinition.model_validate(fields))
        await self.sql(
            "UPDATE alert_rules SET effective_at = to_timestamp(%s) WHERE id = %s RETURNING id", self.now / 1000, rule.id
        )
        return rule

    async def write(self, value: float, at: int | None = None, name: str = "m", **tags: str) -> None:
        """A sample in the newest bucket that the present tick judges, or at a time."""
        await self.ingest.write([Point(name=name, value=value, tags=tags, timestamp=self.now - 2 * TICK if at is None else at)])

    async def tick(self, ticks: int = 1) -> None:
        """Time goes on by so many ticks, each judged."""
        for _ in range(ticks):
            self.clock.now_ms += TICK
            assert await self.evaluator.tick()

    async def ticks_with(self, value: float, ticks: int = 1, **tags: str) -> None:
        """Ticks that each find this value."""
        for _ in range(ticks):
            self.clock.now_ms += TICK
            await self.write(value, **tags)
            assert await self.evaluator.tick()

    async def state(self, rule: Rule) -> str:
        return (await self.rules.get(rule.id)).state

    async def instances(self, rule: Rule) -> dict[str, str]:
        """State by the value of the first tag."""
        found = (await self.rules.get(rule.id)).instances
        return {next(iter(one.tags.values()), ""): one.state for one in found}

    async def events(self, rule: Rule | None = None) -> list[Event]:
        """Oldest first."""
        found, _ = await self.history.events(rule_id=rule.id if rule else None, page_size=200)
        return found[::-1]

    async def told(self, rule: Rule | None = None) -> list[tuple[str, int, str | None]]:
        """Status, Unix ms and reason of each event, oldest first."""
        return [
            (one.status, to_ms(one.resolved_at if one.status == "resolved" and one.resolved_at else one.triggered_at), one.reason)
            for one in await self.events(rule)
        ]

    async def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    def process(self) -> Evaluator:
        """The evaluator of another process on the same database."""
        return Evaluator(self.database, self.reader, self.ticks, lease=Lease(self.database, "alerts"))


def make_world(database: Database, clock: ManualClock, **more: Any) -> World:
    settings = Settings(_env_file=None, data_dir=Path("unused"), **more)  # type: ignore[call-arg]
    reader = Reader(database, settings, clock=clock)
    ticks = Ticks(database, settings, clock=clock)
    return World(
        database, settings, clock, Ingest(database, settings, clock=clock), reader, ticks, Rules(database, reader, ticks),
        Evaluator(database, reader, ticks), History(database), Silences(database),
    )  # fmt: skip


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Alerts that have just judged a tick, at the machine's own time, which stands still."""
    made = make_world(database, ManualClock(floor_to(system_clock(), TICK)))
    await made.ingest.start()
    assert await made.evaluator.tick()
    yield made
    await made.ingest.stop()
