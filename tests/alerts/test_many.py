"""Thousands of rules: a tick takes a few statements, however many there are."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dashapp.contract.metrics import Point
from dashapp.metrics.clock import ceil_to
from tests.alerts.conftest import TICK, World

SERIES = 200


class Statements:
    """Counts what is executed, by anyone in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        execute = psycopg.AsyncCursor.execute

        async def counted(cursor: Any, *arguments: Any, **options: Any) -> Any:
            self.count += 1
            return await execute(cursor, *arguments, **options)

        monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)

    def taken(self) -> int:
        count, self.count = self.count, 0
        return count


async def add(world: World, number: int) -> None:
    """Rules with two steps, three aggregations, with groups and without."""
    await world.sql(
        "INSERT INTO alert_rules (name, query, condition, threshold, severity, aggregation, tags, group_by, step, effective_at)"
        " SELECT 'r' || n, 'm', 'gt', 10, 'warning', (ARRAY['avg', 'max', 'min'])[mod(n, 3) + 1],"
        " jsonb_build_object('host', 'h' || mod(n, %s)), CASE WHEN mod(n, 2) = 0 THEN ARRAY['host'] ELSE '{}' END,"
        " (ARRAY[interval '10 s', interval '30 s'])[mod(n, 2) + 1], to_timestamp(%s) FROM generate_series(1, %s) n",
        SERIES, world.now / 1000, number,
    )  # fmt: skip
    await world.sql("UPDATE alert_clock SET generation = generation + 1")


async def write(world: World, value: float) -> None:
    points = [Point(name="m", value=value, tags={"host": f"h{number}"}, timestamp=world.now - 2 * TICK) for number in range(SERIES)]
    await world.ingest.write(points)


async def ticks(world: World, statements: Statements, value: float, number: int) -> list[int]:
    """Statements of each of so many ticks."""
    taken = []
    for _ in range(number):
        world.clock.now_ms += TICK
        await write(world, value)
        statements.taken()
        assert await world.evaluator.tick()
        taken.append(statements.taken())
    return taken


async def test_statements_do_not_grow_with_the_rules(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    statements, taken = Statements(monkeypatch), {}
    for number in (20, 2_000):
        await world.sql("DELETE FROM alert_rules")
        await world.sql("DELETE FROM alert_events")
        world.clock.now_ms = ceil_to(world.now + 600_000, 60_000)  # the same buckets end at the same ticks
        await add(world, number)
        # At the first tick the rules are read, in turns.
        taken[number] = (await ticks(world, statements, 1, 5))[1:] + await ticks(world, statements, 11, 8)
    assert taken[2_000] == taken[20]
    assert max(taken[20]) < 20
    assert world.evaluator.figures.rules == 2_000
    assert (await world.sql("SELECT count(*) AS n FROM alert_events WHERE status = 'firing'"))[0]["n"] == 2_000
    assert world.evaluator.figures.seconds < TICK / 1000
