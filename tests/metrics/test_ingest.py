"""Points in: all or nothing, merged commits, limits that name the point."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashapp.contract.metrics import LARGEST_VALUE, Point
from dashapp.database.pool import Connection, Database
from dashapp.database.tier import POSTGRES
from dashapp.errors import RateLimited, Unavailable, ValidationFailed
from dashapp.metrics import batches, ingest
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.series import SeriesIds, canonical, series_key, tags_hash
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, both_tiers, make_store
from tests.metrics.model import ManualClock

pytestmark = both_tiers


async def test_the_answer_is_the_number_of_points_and_a_missing_timestamp_is_now(store: Store) -> None:
    assert await store.ingest.write([]) == 0
    assert await store.ingest.write([Point(name="a", value=1.5), Point(name="a", value=2.5, tags={"host": "x"})]) == 2
    frame = await store.ask("a", store.clock.now_ms, store.clock.now_ms + 1, step=1000, aggregation="sum")
    assert frame.series[0].values.tolist() == [4.0]


async def test_the_same_point_again_replaces_and_the_last_of_a_batch_wins(store: Store) -> None:
    now = store.clock.now_ms
    assert await store.write("a", (now, 1.0), (now, 2.0), (now, 3.0)) == 3
    assert await store.rows("SELECT value FROM metrics_raw") == [{"value": 3.0}]
    for _ in range(2):
        await store.write("a", (now, 4.0), (now - 1, 5.0))
    assert await store.value("SELECT array_agg(value ORDER BY time) FROM metrics_raw") == [5.0, 4.0]


async def test_of_requests_that_are_merged_the_last_to_arrive_wins(store: Store) -> None:
    now = store.clock.now_ms
    await asyncio.gather(*(store.write("a", (now, float(number))) for number in range(50)))
    assert await store.value("SELECT array_agg(value) FROM metrics_raw") == [49.0]


async def test_points_out_of_bounds_are_named_and_nothing_of_the_request_is_stored(store: Store) -> None:
    now = store.clock.now_ms
    with pytest.raises(ValidationFailed, match=r"points\.2\.timestamp: is older than 7d.*\(and 1 more\)") as caught:
        await store.write("a", (now, 1.0), (now, 1.0), (now - 7 * DAY - 1, 1.0), (now - 30 * DAY, 1.0))
    assert caught.value.details.keys() == {"points.2.timestamp", "points.3.timestamp"}
    with pytest.raises(ValidationFailed, match=r"points\.1\.timestamp: is more than 1 hour ahead"):
        await store.write("a", (now, 1.0), (now + HOUR + 1, 1.0))
    assert await store.value("SELECT count(*) FROM series") == 0
    assert await store.write("a", (now - 7 * DAY, 1.0), (now + HOUR, 1.0)) == 2


async def test_points_below_the_stored_horizon_are_named_and_others_of_the_group_pass(store: Store) -> None:
    now = store.clock.now_ms
    await store.rows("UPDATE retention_horizons SET horizon = now() - interval '2 days' WHERE level = 'raw' RETURNING level")
    answers = await asyncio.gather(
        store.write("a", (now, 1.0)), store.write("a", (now - 1, 1.0), (now - 3 * DAY, 1.0)), store.write("a", (now - 2, 1.0)),
        return_exceptions=True,
    )  # fmt: skip
    assert (answers[0], answers[2]) == (1, 1)
    assert isinstance(answers[1], ValidationFailed)
    assert answers[1].details.keys() == {"points.1.timestamp"}
    assert await store.value("SELECT count(*) FROM metrics_raw") == 2


async def test_a_request_that_fails_in_the_database_fails_alone(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("a", (now, 0.0))
    await store.write("b", (now, 0.0))
    bad = await store.value("SELECT s.id FROM series s JOIN metrics m ON m.id = s.metric_id WHERE m.name = 'b'")
    day = await store.value("SELECT tableoid::regclass::text FROM metrics_raw LIMIT 1")
    async with store.database.connection() as connection:
        await connection.execute(f"ALTER TABLE {day} ADD CONSTRAINT no_b CHECK (series_id <> {bad} OR value = 0)")  # type: ignore[arg-type]
    answers = await asyncio.gather(
        *(store.write(name, (now + number, 1.0)) for number, name in enumerate("aabaa", 1)), return_exceptions=True
    )
    assert [answer == 1 for answer in answers] == [True, True, False, True, True]
    assert await store.value("SELECT count(*) FROM metrics_raw") == 6


async def test_when_too_much_waits_senders_are_told_to_come_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "WAITING_POINTS", 3)
    now = store.clock.now_ms
    answers = await asyncio.gather(
        store.write("a", (now, 1.0), (now + 1, 1.0)), store.write("a", (now, 1.0), (now + 2, 1.0)), return_exceptions=True
    )
    assert answers[0] == 2
    assert isinstance(answers[1], Unavailable)
    assert answers[1].retry_after
    assert await store.write("a", (now, 1.0)) == 1


async def test_stopping_writes_what_waits_and_refuses_more(store: Store) -> None:
    waiting = [asyncio.create_task(store.write("a", (store.clock.now_ms + number, 1.0))) for number in range(5)]
    await asyncio.sleep(0)
    await store.ingest.stop()
    assert await asyncio.gather(*waiting) == [1] * 5
    with pytest.raises(Unavailable, match="takes no points"):
        await store.write("a", (store.clock.now_ms, 1.0))
    await store.ingest.start()
    assert await store.write("a", (store.clock.now_ms, 1.0)) == 1


async def test_a_database_that_is_away_is_unavailable_and_ingest_goes_on_afterwards(store: Store, database_url: str) -> None:
    away = Database(database_url.replace("host=", "host=/nowhere"))
    other = Ingest(away, store.settings, clock=store.clock)
    await other.start()
    with pytest.raises(Unavailable):
        await other.write([Point(name="a", value=1.0)])
    await other.stop()
    assert await store.write("a", (store.clock.now_ms, 1.0)) == 1


async def test_processes_that_make_the_same_series_at_once_agree(store: Store) -> None:
    now = store.clock.now_ms
    processes = [store.process() for _ in range(4)]
    for process in processes:
        await process.start()
    points = [
        Point(name=f"m{number % 7}", value=1.0, tags={"host": f"h{number}", "dc": "a"}, timestamp=now) for number in range(200)
    ]
    turned = [Point(name=point.name, value=1.0, tags=dict(reversed(point.tags.items())), timestamp=now) for point in points][::-1]
    await asyncio.gather(*(process.write(batch) for process in processes for batch in (points, turned)))
    assert await store.rows("SELECT count(*) AS series, count(DISTINCT tags_hash) AS hashes FROM series") == [
        {"series": 200, "hashes": 200}
    ]
    assert await store.value("SELECT count(*) FROM metrics_raw") == 200
    assert await store.value("SELECT count(*) FROM metrics") == 7
    for process in processes:
        await process.stop()


async def test_new_series_beyond_the_limit_are_refused_by_name_and_the_known_go_on(database: Database) -> None:
    store = make_store(database, ManualClock(make_now()), max_series=3)
    await store.ingest.start()
    now = store.clock.now_ms
    for host in "abc":
        await store.write("m", (now, 1.0), host=host)
    answers = await asyncio.gather(
        store.write("m", (now + 1, 1.0), host="a"), store.write("extra.one", (now, 1.0)), return_exceptions=True
    )
    assert answers[0] == 1
    assert isinstance(answers[1], RateLimited)
    assert "extra.one" in str(answers[1])
    assert answers[1].retry_after
    await store.ingest.stop()


def make_now() -> int:
    return ingest.system_clock()


async def test_a_deleted_series_is_made_anew_under_another_id(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("a", (now, 1.0), host="x")
    before = await store.value("SELECT id FROM series")
    async with store.database.connection() as connection:
        await connection.execute("DELETE FROM metrics_raw")
        await connection.execute("UPDATE series SET created_at = now() - interval '2 days'")
    assert await store.jobs.tick()
    assert await store.value("SELECT count(*) FROM series") == 0
    # The writer remembers the old id; nothing may be stored under it.
    assert await store.write("a", (now, 2.0), host="x") == 1
    assert await store.value("SELECT id FROM series") != before
    assert (await store.ask("a", now, now + 1, step=1000)).series[0].values.tolist() == [2.0]


async def test_ids_are_remembered_in_bounded_memory(database: Database) -> None:
    ids = SeriesIds(database, 1_000_000, remembered=10)
    keys = [series_key("m", {"n": str(number)}) for number in range(45)]
    first = await ids.resolve(keys)
    assert len(set(first.values())) == 45
    assert len(ids) <= 20
    assert await ids.resolve(keys) == first


def test_canonical_tags_are_the_same_in_any_order_and_differ_where_tags_do() -> None:
    assert canonical({"b": "2", "a": "é"}) == '{"a":"é","b":"2"}'
    assert tags_hash({"b": "2", "a": "1"}) == tags_hash({"a": "1", "b": "2"})
    assert len({tags_hash({}), tags_hash({"a": ""}), tags_hash({"a": "1"}), tags_hash({"a": '","b":"'})}) == 4


async def test_long_and_strange_tags_are_stored(store: Store) -> None:
    tags = {f"{'k' * 250}{number}": "\U0001f600" * 256 for number in range(32)} | {}
    await store.ingest.write([Point(name="a", value=1.0, tags=tags), Point(name="a", value=1.0, tags={"q": "'\"\\ \n"})])
    assert await store.value("SELECT count(*) FROM series") == 2


async def test_partitions_are_made_for_each_day_and_borders_belong_to_the_later_one(store: Store) -> None:
    midnight = store.clock.now_ms // DAY * DAY
    await store.write("a", (midnight - 1, 1.0), (midnight, 2.0), (midnight - DAY, 3.0), (midnight - 5 * DAY - 1, 4.0))
    rows = await store.rows("SELECT tableoid::regclass::text AS part, value FROM metrics_raw ORDER BY value")
    assert len({row["part"] for row in rows}) == 3
    assert rows[0]["part"] == rows[2]["part"]
    frame = await store.ask("a", midnight - DAY, midnight, step=1000, aggregation="sum")
    assert frame.series[0].values.tolist() == [3.0, 1.0]


async def test_writers_that_need_the_same_new_partition_agree(store: Store) -> None:
    processes = [store.process() for _ in range(4)]
    for process in processes:
        await process.start()
    at = store.clock.now_ms - 4 * DAY
    await asyncio.gather(
        *(process.write([Point(name="a", value=1.0, timestamp=at + number)]) for number, process in enumerate(processes))
    )
    assert await store.value("SELECT count(*) FROM metrics_raw") == 4
    for process in processes:
        await process.stop()


async def test_with_retention_forever_old_points_lie_by_month_at_most_ten_years_back(database: Database, tier: str) -> None:
    store = make_store(
        database, ManualClock(make_now()), retention_raw="forever", retention_1min="forever", retention_1hour="forever"
    )
    await store.ingest.start()
    now = store.clock.now_ms
    with pytest.raises(ValidationFailed, match=r"points\.0\.timestamp"):
        await store.write("a", (now - batches.LONGEST_BACK_MS - 1, 1.0))
    await store.write("a", *((now - days * DAY, float(days)) for days in (0, 1, 200, 201, 202, 203, 2000)))
    parts = await store.value("SELECT count(DISTINCT tableoid) FROM metrics_raw")
    # 200 to 203 days back may lie across the end of a month; chunks are days at any age.
    assert parts in ((4, 5) if tier == POSTGRES else (7,))
    assert await store.jobs.tick()
    frame = await store.ask("a", now - 300 * DAY, now - 100 * DAY, step=DAY, aggregation="sum")
    assert sorted(frame.series[0].values.tolist()) == [200.0, 201.0, 202.0, 203.0]
    await store.ingest.stop()


async def test_a_partition_that_another_process_dropped_is_made_again(store: Store) -> None:
    at = store.clock.now_ms - 3 * DAY
    await store.write("a", (at, 1.0))
    part = await store.value("SELECT tableoid::regclass::text FROM metrics_raw")
    async with store.database.connection() as connection:
        await connection.execute(f"DROP TABLE {part}")  # type: ignore[arg-type]
    assert await store.write("a", (at, 2.0)) == 1


async def test_a_change_of_history_raises_the_metrics_generation_and_fresh_points_do_not(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("fresh", (now, 1.0), (now - MINUTE, 1.0))
    await store.write("late", (now, 1.0), (now - 4 * MINUTE, 1.0))
    rows = await store.rows("SELECT name, generation FROM metrics ORDER BY name")
    assert [(row["name"], row["generation"]) for row in rows] == [("fresh", 0), ("late", 1)]


async def test_each_transaction_marks_recent_minutes_once_and_older_points_by_series_and_hour(store: Store) -> None:
    now = store.clock.now_ms // MINUTE * MINUTE
    store.clock.now_ms = now + 1
    points = [
        Point(name="a", value=1.0, tags={"host": host}, timestamp=now - age)
        for host in "xy"
        for age in (0, -1, MINUTE, 2 * HOUR, 2 * HOUR + 1)
    ]
    await store.ingest.write(points)
    rows = await store.rows("SELECT bucket, series_id FROM rollup_dirty")
    assert sum(row["series_id"] is None for row in rows) == 2
    older = [row for row in rows if row["series_id"] is not None]
    hours = {(now - 2 * HOUR) // HOUR, (now - 2 * HOUR - 1) // HOUR}
    assert len(older) == 2 * len(hours)


async def test_deadlocks_and_serialization_failures_are_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    failures: list[type[psycopg.Error]] = [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure]
    original = store.ingest._store

    async def failing(connection: Connection, *rest: Any) -> None:
        if failures:
            raise failures.pop()
        await original(connection, *rest)

    monkeypatch.setattr(store.ingest, "_store", failing)
    assert await store.write("a", (store.clock.now_ms, 1.0)) == 1
    assert not failures


async def test_the_largest_values_are_added_up(store: Store) -> None:
    now = store.clock.now_ms
    start = now // HOUR * HOUR
    await store.write("a", *((start + number, value) for number in range(50) for value in [LARGEST_VALUE]))
    await store.write("a", *((start + number, -LARGEST_VALUE) for number in range(50)), sign="minus")
    store.clock.now_ms += 3 * HOUR
    for _ in range(2):
        frame = await store.ask("a", start, start + HOUR, step=HOUR, aggregation="sum", group_by=["sign"])
        assert [series.values.tolist() for series in frame.series] == [
            [pytest.approx(-50 * LARGEST_VALUE)],
            [pytest.approx(50 * LARGEST_VALUE)],
        ]
        frame = await store.ask("a", start, start + HOUR, step=HOUR, aggregation="avg", group_by=["sign"])
        assert [series.values.tolist() for series in frame.series] == [
            [pytest.approx(-LARGEST_VALUE)],
            [pytest.approx(LARGEST_VALUE)],
        ]
        assert await store.jobs.tick()
        assert (await store.jobs.status()).error is None
