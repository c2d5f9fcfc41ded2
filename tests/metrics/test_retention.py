"""What is too old is dropped, never erased: rollups still answer, and say from where."""

from __future__ import annotations

import pytest

from dashapp.contract.metrics import Point
from dashapp.contract.timerange import to_ms
from dashapp.database.pool import Database
from dashapp.metrics.clock import system_clock
from dashapp.metrics.rollups import retention
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, both_tiers, make_store, postgres_only
from tests.metrics.model import ManualClock, Model, assert_frame

pytestmark = both_tiers


async def _filled(store: Store) -> tuple[Model, int]:
    """Two days of samples every 20 minutes, rolled up; the model of them and the first midnight."""
    midnight = store.clock.now_ms // DAY * DAY - 4 * DAY
    points = [
        Point(name="m", value=float(number), tags={"host": "ab"[number % 2]}, timestamp=midnight + number * 20 * MINUTE + 7)
        for number in range(144)
    ]
    model = Model()
    model.write(points)
    await store.ingest.write(points)
    assert await store.jobs.tick()
    return model, midnight


async def test_after_raw_is_dropped_rollups_answer_and_say_from_where(store: Store) -> None:
    model, midnight = await _filled(store)
    store.clock.now_ms = midnight + 9 * DAY + HOUR
    assert await store.jobs.tick()
    status = await store.jobs.status()
    assert status.horizons["raw"] == midnight + DAY
    assert status.horizons["1min"] < midnight
    assert await store.value("SELECT count(*) FROM metrics_raw WHERE time < to_timestamp(%s)", (midnight + DAY) / 1000) == 0

    # A refresh, and a correction that comes too late, must not erase what raw no longer backs.
    await store.rows(
        "INSERT INTO rollup_dirty SELECT to_timestamp(%s), id FROM series RETURNING bucket", (midnight + 2 * HOUR) / 1000
    )
    await store.rows("INSERT INTO rollup_dirty VALUES (to_timestamp(%s), NULL) RETURNING bucket", (midnight + 2 * HOUR) / 1000)
    for _ in range(2):
        assert await store.jobs.tick()
    assert (await store.jobs.status()).dirty == 0

    # By the minute, although asked by 10 s: the step widens, and the edges in minutes that are half asked for are left out.
    start, end = midnight + 90_500, midnight + 6 * HOUR
    frame = await store.ask("m", start, end, step=10_000, aggregation="sum")
    assert (frame.meta.table, frame.meta.resolution, frame.step_ms) == ("metrics_1min", "1m", MINUTE)
    assert (frame.meta.partial, frame.meta.covered_start_ms, frame.meta.covered_end_ms) == (True, midnight + 2 * MINUTE, end)
    assert_frame(frame, model, "sum", midnight + 2 * MINUTE, end)

    # Across the border: whole hours from hours, the rest of the edges from what still holds them.
    start, end = midnight + 5 * MINUTE, midnight + DAY + 90 * MINUTE + 8
    for aggregation in ("avg", "sum", "min", "max", "count"):
        frame = await store.ask("m", start, end, step=HOUR, aggregation=aggregation, group_by=["host"])
        assert frame.meta.table == "metrics_1hour+metrics_1min+metrics_raw"
        assert not frame.meta.partial
        assert_frame(frame, model, aggregation, start, end, ("host",))


async def test_where_only_hours_are_left_the_step_widens_to_them(database: Database) -> None:
    store = make_store(database, ManualClock(system_clock()), retention_1min="7d")
    await store.ingest.start()
    model, midnight = await _filled(store)
    store.clock.now_ms = midnight + 9 * DAY + HOUR
    assert await store.jobs.tick()
    assert (await store.jobs.status()).horizons["1min"] == midnight + DAY

    start, end = midnight + 30 * MINUTE, midnight + DAY + 30 * MINUTE
    frame = await store.ask("m", start, end, step=MINUTE, aggregation="sum")
    assert frame.step_ms == HOUR
    assert frame.meta.table == "metrics_1hour+metrics_1min"
    assert (frame.meta.partial, frame.meta.covered_start_ms, frame.meta.covered_end_ms) == (True, midnight + HOUR, end)
    assert_frame(frame, model, "sum", midnight + HOUR, end)

    frame = await store.ask("m", midnight + 10 * MINUTE, midnight + 50 * MINUTE)
    assert frame.empty
    assert frame.meta.partial
    assert await store.reader.newest(_selection()) == midnight + 2 * DAY - 20 * MINUTE + 7
    await store.ingest.stop()


async def test_a_year_later_nothing_is_left_and_the_series_are_deleted(store: Store) -> None:
    _, midnight = await _filled(store)
    store.clock.now_ms = midnight + 370 * DAY
    await store.rows("UPDATE series SET created_at = now() - interval '2 days' RETURNING id")
    await store.rows("UPDATE job_runs SET finished_at = now() - interval '2 days' RETURNING name")
    assert await store.jobs.tick()  # catches up with a year of nothing
    while (await store.jobs.status()).horizons["raw"] < midnight + 2 * DAY:
        assert await store.jobs.tick()
    await store.rows("UPDATE job_runs SET finished_at = now() - interval '2 days' RETURNING name")
    assert await store.jobs.tick()
    assert await store.value("SELECT count(*) FROM rollup_1min") == 0
    # Hours lie by month: rows below the horizon may still stand, but no answer comes from there.
    horizon = (await store.jobs.status()).horizons["1hour"]
    assert horizon == midnight + 4 * DAY
    frame = await store.ask("m", midnight, midnight + 3 * DAY)
    assert frame.empty
    assert frame.meta.partial
    store.clock.now_ms += 40 * DAY
    for _ in range(20):
        assert await store.jobs.tick()
        if await store.value("SELECT count(*) FROM rollup_1hour") == 0:
            break
    await store.rows("UPDATE job_runs SET finished_at = now() - interval '2 days' RETURNING name")
    assert await store.jobs.tick()
    assert await store.value("SELECT count(*) FROM series") == 0


async def test_young_series_and_those_with_rows_stay(store: Store) -> None:
    await store.write("m", (store.clock.now_ms, 1.0), host="a")
    await store.write("m", (store.clock.now_ms, 1.0), host="empty.young")
    await store.rows("DELETE FROM metrics_raw WHERE series_id = (SELECT max(id) FROM series) RETURNING time")
    await store.rows("UPDATE series SET created_at = now() - interval '2 days' WHERE tags ->> 'host' = 'a' RETURNING id")
    assert await store.jobs.tick()
    assert await store.value("SELECT count(*) FROM series") == 2


async def test_a_horizon_does_not_pass_what_is_not_rolled_up_yet(store: Store) -> None:
    _, midnight = await _filled(store)
    await store.rows("UPDATE rollup_watermarks SET watermark = to_timestamp(%s) RETURNING level", (midnight + 30 * HOUR) / 1000)
    store.clock.now_ms = midnight + 30 * DAY
    await store.jobs.lease.renew()
    await store.jobs.retention.advance()
    assert (await store.jobs.status()).horizons["raw"] == midnight + DAY
    await store.rows("INSERT INTO rollup_dirty VALUES (to_timestamp(%s), 1) RETURNING bucket", (midnight + 30 * HOUR) / 1000)
    await store.rows("UPDATE rollup_watermarks SET watermark = to_timestamp(%s) RETURNING level", (midnight + 60 * HOUR) / 1000)
    await store.jobs.retention.advance()
    assert (await store.jobs.status()).horizons["raw"] == midnight + DAY


@postgres_only  # TimescaleDB for tests is one backend
async def test_a_drop_does_not_queue_behind_a_long_query(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_TRIES", 1)
    _, midnight = await _filled(store)
    store.clock.now_ms = midnight + 9 * DAY + HOUR
    async with store.database.connection() as long_query:
        await long_query.execute("SELECT count(*) FROM metrics_raw")
        assert await store.jobs.tick()
        assert (await store.jobs.status()).error is None
        assert await store.write("m", (store.clock.now_ms, 1.0)) == 1
        standing = await store.value("SELECT min(time) FROM metrics_raw")
    assert to_ms(standing) < midnight + DAY  # type: ignore[arg-type]
    assert await store.jobs.tick()
    assert to_ms(await store.value("SELECT min(time) FROM metrics_raw")) >= midnight + DAY  # type: ignore[arg-type]


def _selection() -> object:
    from dashapp.contract.metrics import Selection

    return Selection(query="m")
