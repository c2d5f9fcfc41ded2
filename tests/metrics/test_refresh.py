"""The storage job: rollups that miss nothing, one leader, one faulty series that stands alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashapp.contract.metrics import Point
from dashapp.contract.timerange import from_ms
from dashapp.database.pool import Connection, StatementTimeout
from dashapp.database.tier import POSTGRES
from dashapp.errors import DashappError
from dashapp.metrics.changes import generations
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.rollups import refresh
from dashapp.metrics.rollups.jobs import StorageJobs
from dashapp.metrics.rollups.partitions import partitions_of
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, both_tiers, postgres_only
from tests.metrics.model import Model, assert_frame

pytestmark = both_tiers


class HeldIngest(Ingest):
    """Keeps its transaction open after its rows are written, until told."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.database, store.settings, clock=store.clock)
        self.stored, self.go_on = asyncio.Event(), asyncio.Event()

    async def _store(self, connection: Connection, *rest: Any) -> None:
        await super()._store(connection, *rest)
        self.stored.set()
        await self.go_on.wait()


async def _sum(store: Store, start: int, end: int, step: int) -> list[float]:
    frame = await store.ask("m", start, end, step=step, aggregation="sum")
    return [value for series in frame.series for value in series.values.tolist()]


@postgres_only  # TimescaleDB for tests is one backend, which has one transaction at a time
@pytest.mark.parametrize("age", [0, MINUTE, 5 * MINUTE, 40 * MINUTE, 3 * HOUR])
async def test_a_transaction_held_open_across_a_refresh_loses_nothing(store: Store, age: int) -> None:
    assert await store.jobs.tick()
    at = store.clock.now_ms - age
    await store.write("m", (at - 1, 1.0))
    held = HeldIngest(store)
    await held.start()
    answer = asyncio.create_task(held.write([Point(name="m", value=2.0, timestamp=at)]))
    await held.stored.wait()
    # The watermark passes over the rows that the refresh can't see yet.
    store.clock.now_ms += 2 * HOUR
    assert await store.jobs.tick()
    assert (await store.jobs.status()).watermarks["1min"] > store.clock.now_ms - 4 * MINUTE
    held.go_on.set()
    assert await answer == 1
    assert await store.jobs.tick()
    start = at // DAY * DAY - DAY
    for step in (1000, MINUTE, HOUR, DAY):
        assert sum(await _sum(store, start, start + 3 * DAY, step)) == 3.0
    await held.stop()


@postgres_only  # one backend, as above
async def test_points_committed_at_any_moment_of_a_refresh_are_not_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await store.jobs.tick()
    at = (store.clock.now_ms - 5 * HOUR) // HOUR * HOUR
    await store.write("m", (at, 1.0))
    original, moments = store.jobs.refresh._compute, iter(range(1, 100))

    async def write() -> None:
        await store.write("m", (at + next(moments), 1.0), (store.clock.now_ms - 4 * MINUTE + next(moments), 1.0))

    async def interrupted(*rest: Any) -> Any:
        await write()
        computed = await original(*rest)
        await write()
        return computed

    with monkeypatch.context() as patched:
        patched.setattr(store.jobs.refresh, "_compute", interrupted)
        assert await store.jobs.tick()
    assert await store.jobs.tick()
    for step in (MINUTE, HOUR, DAY):
        assert sum(await _sum(store, at // DAY * DAY, at // DAY * DAY + 2 * DAY, step)) == 5.0


async def test_a_refresh_that_takes_too_long_takes_less_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: Any) -> Any:
        raise StatementTimeout

    monkeypatch.setattr(store.jobs.refresh, "_compute", slow)
    assert await store.jobs.tick()
    assert store.jobs.refresh.window_ms == MINUTE
    assert "took too long" in str((await store.jobs.status()).error)


async def test_two_processes_tick_at_once_and_only_one_leads(store: Store) -> None:
    other = StorageJobs(store.database, store.settings, clock=store.clock)
    await store.write("m", (store.clock.now_ms, 1.0))
    led = await asyncio.gather(store.jobs.tick(), other.tick())
    assert sorted(led) == [False, True]
    leader, follower = (store.jobs, other) if led[0] else (other, store.jobs)
    assert [await leader.tick(), await follower.tick()] == [True, False]
    await leader.lease.release()
    assert await follower.tick()
    assert not await leader.tick()
    assert await store.value("SELECT count(*) FROM job_runs WHERE name = 'storage'") == 1


async def test_a_leader_that_was_overtaken_commits_nothing(store: Store, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.write("m", (store.clock.now_ms - 3 * HOUR, 1.0))
    before = await store.jobs.status()
    hook = "_compute" if tier == POSTGRES else "_refresh"
    original = getattr(store.jobs.refresh, hook)

    async def overtaken(*rest: Any) -> Any:
        await store.rows("UPDATE leases SET holder = 'another', epoch = epoch + 1 RETURNING name")
        return await original(*rest)

    monkeypatch.setattr(store.jobs.refresh, hook, overtaken)
    store.clock.now_ms += HOUR
    assert not await store.jobs.tick()
    after = await store.jobs.status()
    assert (after.watermarks, after.dirty) == (before.watermarks, before.dirty)
    assert after.finished_at is None


async def test_after_a_downtime_the_rollups_catch_up_in_bounded_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = store.clock.now_ms
    await store.rows(
        "UPDATE rollup_watermarks SET watermark = date_trunc('hour', %s::timestamptz) RETURNING level", from_ms(now - 2 * DAY)
    )
    model = Model()
    points = [Point(name="m", value=float(number), timestamp=now - number * 10 * MINUTE) for number in range(300)]
    model.write(points)
    await store.ingest.write(points)
    windows = []
    original = store.jobs.refresh._compute

    async def seen(connection: Connection, work: Any, low: int, high: int) -> Any:
        windows.append(work.minutes_to - work.minutes_from)
        return await original(connection, work, low, high)

    monkeypatch.setattr(store.jobs.refresh, "_compute", seen)
    assert await store.jobs.tick()
    assert len([window for window in windows if window]) > 2
    assert windows[0] == HOUR
    status = await store.jobs.status()
    assert now - 4 * MINUTE < status.watermarks["1min"] <= now - 2 * MINUTE
    assert status.dirty == 0
    for step in (MINUTE, HOUR, DAY):
        frame = await store.ask("m", now - 3 * DAY, now, step=step, aggregation="sum")
        assert_frame(frame, model, "sum", now - 3 * DAY, now)


async def test_a_backfill_of_many_hours_takes_several_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "DIRTY_HOURS_A_STEP", 7)
    now = store.clock.now_ms
    await store.jobs.tick()
    await store.write("m", *((now - number * HOUR, 1.0) for number in range(2, 42)))
    assert await store.jobs.tick()
    assert (await store.jobs.status()).dirty == 0
    assert sum(await _sum(store, now - 3 * DAY, now, HOUR)) == 40.0
    assert await store.value("SELECT sum(count)::int FROM rollup_1hour") == 40


async def test_late_points_raise_the_generation_again_when_the_rollups_show_them(store: Store, tier: str) -> None:
    now = store.clock.now_ms
    await store.write("late", (now - 3 * HOUR, 1.0))
    await store.write("other", (now, 1.0))
    await store.jobs.tick()
    before = await generations(store.database, ["late", "other", "unknown"])
    assert before.keys() == {"late", "other"}
    await store.write("late", (now - 3 * HOUR, 2.0))
    written = await generations(store.database, ["late"])
    await store.jobs.tick()
    shown = await generations(store.database, ["late", "other"])
    assert before["late"] < written["late"] < shown["late"]
    assert shown["other"] == before["other"] == 0
    # A refresh that changes nothing says nothing.
    await store.write("late", (now - 3 * HOUR, 2.0))
    rewritten = await generations(store.database, ["late"])
    await store.jobs.tick()
    if tier == POSTGRES:  # TimescaleDB doesn't tell what a refresh changed
        assert await generations(store.database, ["late"]) == rewritten


@postgres_only  # TimescaleDB refreshes all series at once
async def test_a_series_that_cannot_be_rolled_up_fails_alone_is_shown_and_heals(store: Store) -> None:
    now = store.clock.now_ms
    minute = (now - 3 * HOUR) // MINUTE * MINUTE
    for number in range(9):
        await store.write("m", (minute, 1.0), (minute + 1, 2.0), host=f"h{number}")
    bad = await store.value("SELECT id FROM series WHERE tags ->> 'host' = 'h4'")
    # The contract refuses such values; somebody wrote them past it.
    await store.rows("UPDATE metrics_raw SET value = 1e308 WHERE series_id = %s RETURNING value", bad)
    for _ in range(2):
        assert await store.jobs.tick()
        status = await store.jobs.status()
        assert status.error is not None
        assert f"series {bad}" in status.error
        assert "h4" in status.error
        assert status.watermarks["1min"] > minute
        frame = await store.ask("m", minute, minute + MINUTE, step=MINUTE, aggregation="sum", group_by=["host"])
        assert [series.values.tolist() for series in frame.series] == [[3.0]] * 8
    with pytest.raises(DashappError, match="too large to be added up"):
        await store.ask("m", minute, minute + MINUTE, step=1000 * 30, aggregation="sum")
    await store.write("m", (minute, 1.0), (minute + 1, 2.0), host="h4")
    assert await store.jobs.tick()
    assert (await store.jobs.status()).error is None
    assert (await store.jobs.status()).dirty == 0
    assert await _sum(store, minute, minute + MINUTE, MINUTE) == [27.0]
    hour = minute // HOUR * HOUR
    assert await _sum(store, hour, hour + HOUR, HOUR) == [27.0]


async def test_what_goes_wrong_is_recorded_and_the_next_pass_works(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("disk on fire")

    with monkeypatch.context() as patched:
        patched.setattr(store.jobs.retention, "advance", broken)
        assert await store.jobs.tick()
        assert (await store.jobs.status()).error == "RuntimeError: disk on fire"
    assert await store.jobs.tick()
    status = await store.jobs.status()
    assert status.error is None
    assert status.finished_at is not None
    assert status.seconds is not None


@postgres_only  # TimescaleDB makes chunks as rows come
async def test_partitions_are_made_ahead(store: Store) -> None:
    await store.jobs.tick()
    parts = await store.rows("SELECT relid::regclass::text AS name FROM pg_partition_tree('metrics_raw') WHERE isleaf")
    assert len(parts) == 3
    store.clock.now_ms += DAY
    await store.jobs.tick()
    parts = await store.rows("SELECT relid::regclass::text AS name FROM pg_partition_tree('metrics_raw') WHERE isleaf")
    assert len(parts) == 4


@postgres_only  # partitions are made by the job there only
async def test_after_a_day_without_dashapp_the_job_makes_up_for_everything_in_bounded_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "DIRTY_HOURS_A_STEP", 10)
    await store.jobs.tick()
    # Written in the last moments before it ended; then a day and a half of nothing, in which partitions run out.
    now = store.clock.now_ms
    model = Model()
    points = [
        Point(name="m", value=float(number), tags={"host": "ab"[number % 2]}, timestamp=now - number * 45 * MINUTE)
        for number in range(60)
    ]
    model.write(points)
    await store.ingest.write(points)
    await store.jobs.lease.release()
    store.clock.now_ms = now = now + 36 * HOUR
    # Two processes come back at once; agents send what they kept.
    late = [Point(name="m", value=1.0, tags={"host": "a"}, timestamp=now - number * 20 * MINUTE) for number in range(3, 100)]
    other = StorageJobs(store.database, store.settings, clock=store.clock)
    await store.ingest.write(late)
    model.write(late)
    led = await asyncio.gather(store.jobs.tick(), other.tick())
    assert sorted(led) == [False, True]
    status = await store.jobs.status()
    assert (status.error, status.dirty) == (None, 0)
    assert now - 4 * MINUTE < status.watermarks["1min"] <= now - 2 * MINUTE
    ahead = {(now // DAY + number) * DAY for number in range(3)}
    async with store.database.connection() as connection:
        standing = {part.lower_ms for part in await partitions_of(connection, ["metrics_raw"])}
    assert ahead <= standing
    for step in (1000, MINUTE, HOUR, DAY):
        frame = await store.ask("m", now - 4 * DAY, now, step=step, aggregation="sum", group_by=["host"])
        assert_frame(frame, model, "sum", now - 4 * DAY, now, ("host",))
