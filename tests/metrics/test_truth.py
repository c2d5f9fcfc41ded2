"""Whatever happens in whatever order, queries say what the raw samples say."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashapp.contract.metrics import Point
from dashapp.database.pool import Database
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, emptied, make_store, timescaledb_only
from tests.metrics.model import AGGREGATIONS, ManualClock, Model, assert_frame

#: Half past ten of a day, so that ranges cross minutes, hours and the border of partitions.
NOON = 1_750_000_000_000 // DAY * DAY + 10 * HOUR + 30 * MINUTE + 17_123

ages = st.one_of(
    st.integers(0, 5 * MINUTE), st.integers(0, 30 * MINUTE), st.integers(0, 3 * HOUR),
    st.integers(9, 12).map(lambda hours: hours * HOUR), st.integers(0, 2 * DAY),
    st.sampled_from([0, 1, 17_123, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE + 17_123, 30 * MINUTE + 17_124]),
)  # fmt: skip
values = st.one_of(st.floats(-1e6, 1e6, allow_nan=False), st.sampled_from([0.0, 1.0, 1e290, -1e290, 1e-300, 0.1, 1e16, -1e16]))
hosts = st.sampled_from(["a", "b", "c"])
samples = st.tuples(hosts, ages, values)

writes = st.lists(samples, min_size=1, max_size=12).map(lambda batch: ("write", batch))
together = st.lists(st.lists(samples, min_size=1, max_size=6), min_size=2, max_size=4).map(lambda batches: ("together", batches))
again = st.just(("again", None))
refreshes = st.just(("refresh", None))
passes = st.sampled_from([1, 999, 30_000, MINUTE, 7 * MINUTE, HOUR]).map(lambda ms: ("pass", ms))
actions = st.lists(st.one_of(writes, together, again, refreshes, passes), min_size=1, max_size=12)

edges = st.tuples(ages, ages).map(lambda pair: (max(pair) + 1, min(pair)))
steps = st.sampled_from([1_000, 7_000, 30_000, MINUTE, 90_000, 5 * MINUTE, 7 * MINUTE, HOUR, 2 * HOUR, DAY])
groupings = st.sampled_from([(), ("host",)])
questions = st.lists(st.tuples(edges, steps, st.sampled_from(sorted(AGGREGATIONS)), groupings), min_size=2, max_size=6)


async def _compare(store: Store, model: Model, asked: list[Any]) -> None:
    for (oldest, newest), step, aggregation, group_by in asked:
        start, end = store.clock.now_ms - oldest, store.clock.now_ms - newest
        frame = await store.ask("m", start, end, step=step, aggregation=aggregation, group_by=list(group_by))
        assert frame.step_ms == step
        assert not frame.meta.partial
        assert_frame(frame, model, aggregation, start, end, group_by)


async def _views_are_the_raw_truth(store: Store) -> None:
    for view, width in (("metrics_1min", "1 minute"), ("metrics_1hour", "1 hour")):
        wrong = await store.rows(
            f"""
            SELECT * FROM {view} v FULL JOIN (
                SELECT date_bin('{width}', time, timestamptz 'epoch') AS bucket, series_id, count(*) AS count, min(value) AS min,
                    max(value) AS max, sum(value) AS sum, sum(abs(value)) AS size, (array_agg(value ORDER BY time))[1] AS first,
                    (array_agg(value ORDER BY time DESC))[1] AS last
                FROM metrics_raw GROUP BY 1, 2
            ) AS raw USING (bucket, series_id)
            WHERE (v.count, v.min, v.max, v.first, v.last) IS DISTINCT FROM (raw.count, raw.min, raw.max, raw.first, raw.last)
                OR abs(v.sum - raw.sum) > 1e-9 * greatest(raw.size, 1e-290)
            """
        )
        assert wrong == []


async def _play(url: str, size: int, played: list[Any], asked: list[Any]) -> None:
    database = Database(url, size=size)
    await database.open()
    await emptied(database)
    store = make_store(database, ManualClock(NOON))
    await store.watermark(NOON - 20 * MINUTE)
    await store.ingest.start()
    model, sent = Model(), [Point(name="m", value=1.0, tags={"host": "a"}, timestamp=NOON)]
    try:
        late = False

        async def write(batch: list[Any]) -> list[Point]:
            points = [
                Point(name="m", value=value, tags={"host": host}, timestamp=store.clock.now_ms - age) for host, age, value in batch
            ]
            assert await store.ingest.write(points) == len(points)
            return points

        for what, with_what in played:
            if what == "write":
                sent = await write(with_what)
                model.write(sent)
            elif what == "again":
                await store.ingest.write(sent)
                model.write(sent)
            elif what == "together":
                for points in await asyncio.gather(*(write(batch) for batch in with_what)):
                    model.write(points)
            elif what == "refresh":
                assert await store.jobs.tick()
                assert (await store.jobs.status()).error is None
            else:
                store.clock.now_ms += with_what
            mark = (await store.jobs.status()).watermarks["1min"]
            if what in ("write", "again", "together"):
                newest = [point.timestamp for point in sent] if what != "together" else [0]
                late = late or any(time is not None and time < mark for time in newest)
            elif what == "refresh":
                late = False
            # Late points count within 30 s, after the next refresh; all others at once.
            if not late:
                await _compare(store, model, asked)
        assert await store.jobs.tick()
        await _compare(store, model, asked)
        await _views_are_the_raw_truth(store)
        assert (await store.jobs.status()).dirty == 0
    finally:
        await store.ingest.stop()
        await database.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(played=actions, asked=questions)
# The average of these underflows, which PostgreSQL's division takes for an error.
@example(played=[("write", [("a", 0, 0.0), ("a", 1, 0.0), ("b", 1, 5e-324)])], asked=[((1, 0), 1000, "avg", ())])
def test_any_interleaving_is_answered_like_the_raw_samples(database_url: str, played: list[Any], asked: list[Any]) -> None:
    asyncio.run(_play(database_url, 4, played, asked))


@timescaledb_only
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(played=actions, asked=questions)
@example(played=[("write", [("a", 0, 0.0), ("a", 1, 0.0), ("b", 1, 5e-324)])], asked=[((1, 0), 1000, "avg", ())])
def test_any_interleaving_is_answered_like_the_raw_samples_of_timescaledb(
    database_url: str, played: list[Any], asked: list[Any]
) -> None:
    asyncio.run(_play(database_url, 1, played, asked))
