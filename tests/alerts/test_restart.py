"""PostgreSQL ends amid a tick, stopped or killed, and comes back: the tick is judged then, and no pending time is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import psutil
import psycopg
import pytest

from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.errors import Unavailable
from dashapp.metrics.clock import floor_to, system_clock
from tests.alerts.conftest import TICK, World, make_world
from tests.alerts.receivers import until
from tests.metrics.model import ManualClock
from tests.postgres import own_postgres


@pytest.fixture(scope="module")
def mortal() -> Iterator[EmbeddedPostgres]:
    """A server of this module's own."""
    with own_postgres({"fsync": "off"}) as server:
        migrate(server.url)
        yield server


@pytest.fixture
async def world(mortal: EmbeddedPostgres) -> AsyncIterator[World]:
    database = Database(mortal.url)
    await database.open()
    made = make_world(database, ManualClock(floor_to(system_clock(), TICK)))
    await made.sql("TRUNCATE alert_rules, alert_events, leases CASCADE")
    await made.sql("UPDATE alert_clock SET last_tick = NULL")
    await made.ingest.start()
    assert await made.evaluator.tick()
    yield made
    await made.ingest.stop()
    await database.close()


def _end(server: EmbeddedPostgres, how: int) -> None:
    """All its processes are gone."""
    assert server.pid
    parent = psutil.Process(server.pid)
    family = [parent, *parent.children()]
    os.kill(parent.pid, how)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive


async def _answers(world: World) -> bool:
    try:
        return bool(await world.sql("SELECT 1"))
    except Unavailable:
        return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
async def test_the_database_restarts_amid_a_tick(mortal: EmbeddedPostgres, world: World, how: int) -> None:
    held = await world.rule(query=f"held{how}", duration="60s")
    instant = await world.rule(query=f"instant{how}")
    start = world.now + TICK

    async def values(of_instant: float) -> None:
        world.clock.now_ms += TICK
        await world.write(11, name=f"held{how}")
        await world.write(of_instant, name=f"instant{how}")

    for value in (11, 1, 11):
        await values(value)
        assert await world.evaluator.tick()
    before = await world.told()
    await values(1)
    cut = world.now
    with closing(psycopg.connect(mortal.url)) as other:
        other.execute("SELECT FROM alert_clock FOR UPDATE")  # so that the pass waits where it is about to write
        tick = asyncio.create_task(world.evaluator.tick())
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND strpos(query, 'alert_clock') > 0"
        await until(lambda: world.sql(waiting), "the pass to be amid its tick")
        await asyncio.to_thread(_end, mortal, how)
        with pytest.raises(Unavailable):
            await tick
    with pytest.raises(Unavailable):
        await world.evaluator.tick()
    await asyncio.to_thread(mortal.revive)
    await until(lambda: _answers(world), "the database to answer", 60)
    assert await world.told() == before, "half a tick is no tick"
    assert await world.state(held) == "pending"
    # The tick is judged now, as if nothing had been: what fired is resolved at it, once.
    assert await world.evaluator.tick()
    assert await world.told(instant) == [
        ("firing", start, None), ("resolved", start + TICK, None), ("firing", start + 2 * TICK, None), ("resolved", cut, None),
    ]  # fmt: skip
    for _ in range(3):
        await values(1)
        assert await world.evaluator.tick()
    assert await world.told(held) == [("firing", start + 60_000, None)]
