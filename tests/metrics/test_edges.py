"""Where calendars and names have edges, queries say what the raw samples say all the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashapp.contract.metrics import LARGEST_VALUE, Point
from dashapp.database.pool import Database
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, both_tiers, emptied, make_store, postgres_only, timescaledb_only
from tests.metrics.model import AGGREGATIONS, ManualClock, Model, assert_frame

pytestmark = both_tiers


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


#: Each at its change: clocks go forward and back, a leap day begins and ends, years and months do.
MOMENTS = [
    _ms(text)
    for text in (
        "2025-03-30T01:00", "2024-10-27T01:00", "2025-03-09T10:00", "2025-11-02T09:00", "2024-02-29T00:00", "2024-03-01T00:00",
        "2023-03-01T00:00", "2000-02-29T00:00", "2025-01-01T00:00", "2025-07-01T00:00", "2025-06-16T00:00",
    )
]  # fmt: skip
near = st.one_of(
    st.sampled_from([-1, 0, 1, -MINUTE, MINUTE - 1, MINUTE, -HOUR - 1, HOUR, -DAY, -DAY - 1]), st.integers(-26 * HOUR, 26 * HOUR)
)
values = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([LARGEST_VALUE, -LARGEST_VALUE, 0.0, 5e-324]))
samples = st.lists(st.tuples(near, values, st.sampled_from("ab")), min_size=1, max_size=10)
ranges = st.tuples(near, near).map(lambda pair: (min(pair), max(pair) + 1))
steps = st.sampled_from([1000, MINUTE, 7 * MINUTE, HOUR, 3 * HOUR, DAY, 7 * DAY])
questions = st.lists(
    st.tuples(ranges, steps, st.sampled_from(sorted(AGGREGATIONS))),
    min_size=1, max_size=4,
)  # fmt: skip


async def _play(url: str, moment: int, early: list[Any], late: list[Any], asked: list[Any]) -> None:
    database = Database(url, size=1)
    await database.open()
    await emptied(database)
    clock = ManualClock(moment + 26 * HOUR)
    store = make_store(database, clock)
    await store.watermark(moment - 30 * HOUR)
    await store.ingest.start()
    model = Model()
    try:
        for batch in (early, late):
            points = [Point(name="m", value=value, tags={"host": host}, timestamp=moment + at) for at, value, host in batch]
            await store.ingest.write(points)
            model.write(points)
            clock.now_ms += 13 * HOUR  # the border of what is rolled up moves over the moment
            assert await store.jobs.tick()
            assert (await store.jobs.status()).error is None
            for (start, end), step, aggregation in asked:
                start, end = moment + start, moment + end
                frame = await store.ask("m", start, end, step=step, aggregation=aggregation, group_by=["host"])
                assert (frame.step_ms, frame.meta.partial) == (step, False)
                assert_frame(frame, model, aggregation, start, end, ("host",))
    finally:
        await store.ingest.stop()
        await database.close()


_quiet = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@postgres_only
@settings(max_examples=15, **_quiet)
@given(moment=st.sampled_from(MOMENTS), early=samples, late=samples, asked=questions)
def test_edges_of_the_calendar(database_url: str, moment: int, early: list[Any], late: list[Any], asked: list[Any]) -> None:
    asyncio.run(_play(database_url, moment, early, late, asked))


@timescaledb_only
@settings(max_examples=6, **_quiet)
@given(moment=st.sampled_from(MOMENTS), early=samples, late=samples, asked=questions)
def test_edges_of_the_calendar_on_timescaledb(
    database_url: str, moment: int, early: list[Any], late: list[Any], asked: list[Any]
) -> None:
    asyncio.run(_play(database_url, moment, early, late, asked))


async def test_names_that_differ_only_in_case_are_two_metrics(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("load", (now, 1.0), host="A")
    await store.write("Load", (now, 2.0), host="A")
    await store.write("load", (now, 4.0), host="a")
    for name, tags, total in (("load", {}, 5.0), ("Load", {}, 2.0), ("load", {"host": "a"}, 4.0), ("load", {"host": "A"}, 1.0)):
        frame = await store.ask(name, now, now + 1, step=1000, aggregation="sum", tags=tags)
        assert frame.series[0].values.tolist() == [total]


async def test_tags_that_differ_only_in_order_are_one_series(store: Store) -> None:
    now = store.clock.now_ms
    for value, tags in ((1.0, {"a": "1", "b": "2"}), (2.0, {"b": "2", "a": "1"})):
        await store.ingest.write([Point(name="m", value=value, tags=tags, timestamp=now)])
    assert await store.value("SELECT count(*) FROM series") == 1
    frame = await store.ask("m", now, now + 1, step=1000, group_by=["b", "a"])
    assert [(series.tags, series.values.tolist()) for series in frame.series] == [({"a": "1", "b": "2"}, [2.0])]


async def test_an_empty_range_between_samples_is_empty_at_every_step(store: Store) -> None:
    start = store.clock.now_ms // DAY * DAY - 2 * DAY
    await store.write("m", (start - 1, 1.0), (start + DAY, 2.0))
    for _ in range(2):
        for step in (1000, MINUTE, HOUR, DAY):
            frame = await store.ask("m", start, start + DAY, step=step, aggregation="count")
            assert (frame.empty, frame.times.size, frame.meta.partial) == (True, 0, False)
        assert await store.jobs.tick()


async def test_days_across_the_border_of_what_is_rolled_up(store: Store) -> None:
    """Hours, minutes and samples meet within one bucket of a day."""
    now = store.clock.now_ms
    points = [Point(name="m", value=float(number % 17), timestamp=now - number * 7 * MINUTE) for number in range(900)]
    model = Model()
    model.write(points)
    await store.ingest.write(points)
    assert await store.jobs.tick()
    for _ in range(3):
        for aggregation in AGGREGATIONS:
            start, end = now - 4 * DAY - 12_345, now - 3 * MINUTE - 1
            frame = await store.ask("m", start, end, step=DAY, aggregation=aggregation)
            assert_frame(frame, model, aggregation, start, end)
        store.clock.now_ms += 47 * MINUTE
        assert await store.jobs.tick()


@postgres_only  # rows of a continuous aggregate aren't written by hand
@pytest.mark.parametrize("count", [2**53 - 1, 2**53 + 1, 2**62])
async def test_counts_are_kept_as_whole_numbers_and_answered_as_the_nearest_float(store: Store, count: int) -> None:
    hour = store.clock.now_ms // HOUR * HOUR - 30 * HOUR
    await store.write("m", (hour, 1.0))
    store.clock.now_ms += HOUR
    assert await store.jobs.tick()
    await store.rows("UPDATE rollup_1hour SET count = %s, sum = %s RETURNING count", count, float(count))
    frame = await store.ask("m", hour, hour + HOUR, step=HOUR, aggregation="count")
    assert (frame.meta.table, frame.series[0].values.tolist()) == ("metrics_1hour", [float(count)])
    assert (await store.ask("m", hour, hour + HOUR, step=HOUR)).series[0].values.tolist() == [1.0]
