"""Increases, rates and changes: what the raw samples say by the definition, whatever rollups have been made of them."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricInfo, MetricUpdate, Point
from dashapp.contract.timerange import from_ms
from dashapp.database.pool import Database
from dashapp.metrics.rollups import refresh
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, both_tiers, emptied, make_store, postgres_only, timescaledb_only
from tests.metrics.model import AGGREGATIONS, ManualClock, Model, Tags
from tests.metrics.test_truth import NOON

pytestmark = both_tiers

SECOND = 1000


def expected(
    model: Model, function: str, aggregation: str, start: int, end: int, step: int, group_by: tuple[str, ...] = ()
) -> dict[tuple[Tags, int], tuple[float, float]]:
    """By (group, bucket): the value, and how much it may be off. Written after the definition, one sample at a time."""
    by_series: dict[Tags, list[tuple[int, float]]] = {}
    for (tags, time), value in sorted(model.samples.items(), key=lambda item: item[0][1]):
        by_series.setdefault(tags, []).append((time, value))
    grouped: dict[tuple[Tags, int], list[tuple[float, float]]] = {}
    for tags, samples in by_series.items():
        buckets: dict[int, list[float]] = {}
        sizes: dict[int, float] = {}
        before: tuple[int, float] | None = None
        for time, value in samples:
            bucket = time // step * step
            if start <= time < end:
                change = 0.0
                if before is not None and bucket - before[0] // step * step <= 5 * MINUTE + step:
                    change = value if function != "delta" and value < before[1] else value - before[1]
                buckets.setdefault(bucket, []).append(change)
                sizes[bucket] = sizes.get(bucket, 0.0) + abs(value) + (abs(before[1]) if before else 0.0)
            before = (time, value)
        group = tuple((key, text) for key, text in tags if key in group_by)
        for bucket, changes in buckets.items():
            seconds = step / SECOND if function == "rate" else 1.0
            grouped.setdefault((group, bucket), []).append((math.fsum(changes) / seconds, sizes[bucket] / seconds))
    return {
        key: (AGGREGATIONS[aggregation]([value for value, _ in values]), sum(size for _, size in values))
        for key, values in grouped.items()
    }


def assert_function(
    frame: Frame, model: Model, function: str, aggregation: str, start: int, end: int, group_by: tuple[str, ...] = ()
) -> None:
    truth = expected(model, function, aggregation, start, end, frame.step_ms, group_by)
    seen = {
        (tuple(sorted(series.tags.items())), time): value
        for series in frame.series
        for time, value in zip(frame.times.tolist(), series.values.tolist(), strict=True)
        if not math.isnan(value)
    }
    assert seen.keys() == truth.keys()
    for key, (value, size) in truth.items():
        assert abs(seen[key] - value) <= 1e-9 * size + 1e-290, (key, seen[key], value)


ages = st.one_of(
    st.integers(0, 5 * MINUTE), st.integers(0, 15 * MINUTE), st.integers(0, 30 * MINUTE), st.integers(0, 3 * HOUR),
    st.integers(9, 12).map(lambda hours: hours * HOUR), st.integers(0, 2 * DAY),
    st.sampled_from([0, 1, 17_123, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE + 17_123, 30 * MINUTE + 17_124]),
)  # fmt: skip
values = st.one_of(st.integers(0, 100).map(float), st.floats(0, 1e6), st.sampled_from([0.0, 0.1, 1e16, 1e290, -5.0]))
hosts = st.sampled_from(["a", "b"])
samples = st.tuples(hosts, ages, values)
#: A counter as they come: one sample every so often, for a while, with a value that may fall.
runs = st.builds(
    lambda host, age, every, numbers: [(host, max(0, age - place * every), value) for place, value in enumerate(numbers)],
    hosts, st.one_of(ages, st.sampled_from([5 * MINUTE, 3 * HOUR, 3 * HOUR + 17_123])),
    st.sampled_from([7 * SECOND, 20 * SECOND, 60 * SECOND, 4 * MINUTE, 6 * MINUTE, 7 * MINUTE, 10 * MINUTE, 20 * MINUTE, HOUR]),
    st.lists(st.sampled_from([1000.0, 5000.0, 0.0, 1200.0, 7.5]), min_size=2, max_size=20),
)  # fmt: skip
writes = st.one_of(st.lists(samples, min_size=1, max_size=8), runs, runs).map(lambda batch: ("write", batch))
refreshes = st.just(("refresh", None))
passes = st.sampled_from([999, MINUTE, 7 * MINUTE, HOUR]).map(lambda ms: ("pass", ms))
types = st.sampled_from(["counter", "gauge"]).map(lambda kind: ("type", kind))
actions = st.lists(st.one_of(writes, refreshes, passes, types), min_size=1, max_size=10)

edges = st.one_of(
    st.tuples(ages, ages).map(lambda pair: (max(pair) + 1, min(pair))), st.just((13 * HOUR, 0)), st.just((3 * DAY, 0))
)
steps = st.sampled_from([1_000, 7_000, 30_000, MINUTE, 90_000, 2 * MINUTE, 5 * MINUTE, 7 * MINUTE, HOUR, 2 * HOUR, DAY])
questions = st.lists(
    st.tuples(
        edges, steps, st.sampled_from(["rate", "increase", "delta"]), st.sampled_from(sorted(AGGREGATIONS)),
        st.sampled_from([(), ("host",)]),
    ),
    min_size=2, max_size=6,
)  # fmt: skip


async def _compare(store: Store, model: Model, name: str, asked: list[Any]) -> None:
    for (oldest, newest), step, function, aggregation, group_by in asked:
        start, end = store.clock.now_ms - oldest, store.clock.now_ms - newest
        frame = await store.ask(
            name, start, end, step=step, function=function, aggregation=aggregation, group_by=list(group_by)
        )  # fmt: skip
        assert frame.step_ms == step
        assert not frame.meta.partial
        assert_function(frame, model, function, aggregation, start, end, group_by)


async def _play(url: str, name: str, played: list[Any], asked: list[Any]) -> None:
    database = Database(url, size=4)
    await database.open()
    await emptied(database)
    store = make_store(database, ManualClock(NOON))
    await store.watermark(NOON - 20 * MINUTE)
    await store.ingest.start()
    model, late = Model(), False
    try:
        for what, with_what in played:
            if what == "write":
                points = [
                    Point(name=name, value=value, tags={"host": host}, timestamp=store.clock.now_ms - age)
                    for host, age, value in with_what
                ]
                await store.ingest.write(points)
                model.write(points)
                mark = (await store.jobs.status()).watermarks["1min"]
                late = late or any(point.timestamp is not None and point.timestamp < mark for point in points)
            elif what == "refresh":
                assert await store.jobs.tick()
                assert (await store.jobs.status()).error is None
                late = False
            elif what == "type":
                await store.catalog.describe([MetricInfo(name=name)])
                await store.catalog.update(name, MetricUpdate(type=with_what))
            else:
                store.clock.now_ms += with_what
            if not late:
                await _compare(store, model, name, asked)
        assert await store.jobs.tick()
        assert (await store.jobs.status()).error is None
        await _compare(store, model, name, asked)
    finally:
        await store.ingest.stop()
        await database.close()


@postgres_only
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from(["m_total", "m"]), played=actions, asked=questions)
@example(
    name="m",
    played=[
        ("write", [("a", 3 * HOUR, 5.0), ("a", 3 * HOUR - SECOND, 7.0)]),
        ("refresh", None),
        ("type", "counter"),
        ("refresh", None),
    ],
    asked=[((4 * HOUR, 0), HOUR, "increase", "sum", ()), ((4 * HOUR, 0), MINUTE, "rate", "avg", ("host",))],
)
# Resets between minutes of an hour that is rolled up, and then one that comes late.
@example(
    name="m_total",
    played=[
        ("write", [("a", 3 * HOUR - place * MINUTE, value) for place, value in enumerate((1000.0, 5000.0, 0.0, 1200.0))]),
        ("refresh", None), ("write", [("a", 3 * HOUR - 90 * SECOND, 5.0)]), ("refresh", None),
    ],
    asked=[((3 * DAY, 0), step, "increase", "sum", ()) for step in (SECOND, MINUTE, HOUR, DAY)],
)  # fmt: skip
def test_any_interleaving_is_answered_like_the_raw_samples(
    database_url: str, name: str, played: list[Any], asked: list[Any]
) -> None:  # fmt: skip
    asyncio.run(_play(database_url, name, played, asked))


@timescaledb_only
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from(["m_total", "m"]), played=actions, asked=questions)
def test_any_interleaving_is_answered_like_the_raw_samples_of_timescaledb(
    database_url: str, name: str, played: list[Any], asked: list[Any]
) -> None:
    asyncio.run(_play(database_url, name, played, asked))


async def _total(store: Store, name: str, start: int, end: int, step: int, **how: Any) -> float:
    frame = await store.ask(name, start, end, step=step, **{"function": "increase", "aggregation": "sum", **how})
    return float(sum(value for series in frame.series for value in series.values.tolist() if not math.isnan(value)))


async def test_a_reset_counts_the_new_value_whole(store: Store) -> None:
    hour = store.clock.now_ms // HOUR * HOUR - 3 * HOUR
    at = [hour + place * 20 * SECOND for place in range(4)]
    await store.write("requests_total", *zip(at, (1000.0, 5000.0, 0.0, 1200.0), strict=True))
    assert await store.jobs.tick()
    for step in (SECOND, 30 * SECOND, MINUTE, HOUR, DAY):
        assert await _total(store, "requests_total", hour, hour + HOUR, step) == 5200.0
    assert await _total(store, "requests_total", hour, hour + HOUR, HOUR, function="delta") == 200.0
    assert await _total(store, "requests_total", hour, hour + HOUR, HOUR, function="rate") == 5200.0 / 3600
    # A late reset in between changes the minute that it falls into, and what is compared with it.
    await store.write("requests_total", (hour + 30 * SECOND, 100.0))
    assert await store.jobs.tick()
    for step in (SECOND, MINUTE, HOUR):
        assert await _total(store, "requests_total", hour, hour + HOUR, step) == 5300.0


async def test_functions_work_by_series_before_the_aggregation(store: Store) -> None:
    minute = store.clock.now_ms // MINUTE * MINUTE - 10 * MINUTE
    for host, numbers in (("a", (1.0, 4.0)), ("b", (100.0, 105.0))):
        await store.write("m_total", *zip((minute, minute + SECOND), numbers, strict=True), host=host)
    assert await store.jobs.tick()
    for aggregation, value in (("avg", 4.0), ("sum", 8.0), ("min", 3.0), ("max", 5.0), ("count", 2.0)):
        frame = await store.ask("m_total", minute, minute + MINUTE, step=MINUTE, function="increase", aggregation=aggregation)
        assert [series.values.tolist() for series in frame.series] == [[value]]


async def _steady(store: Store, name: str) -> tuple[Model, int]:
    """Two days of a counter that is sent every five minutes and begins anew every seven hours; the model, the midnight."""
    midnight = store.clock.now_ms // DAY * DAY - 4 * DAY
    points = [
        Point(name=name, value=float(number % 84), tags={"host": "ab"[number % 2]}, timestamp=midnight + number * 150 * SECOND + 7)
        for number in range(1152)
    ]
    model = Model()
    model.write(points)
    for at in range(0, len(points), 500):
        await store.ingest.write(points[at : at + 500])
    return model, midnight


async def test_the_numbers_stay_after_raw_and_minutes_are_dropped(database: Database) -> None:
    store = make_store(database, ManualClock(NOON), retention_1min="10d")
    await store.watermark(NOON - 5 * DAY)
    await store.ingest.start()
    model, midnight = await _steady(store, "m_total")
    start, end = midnight, midnight + 2 * DAY
    for days, tables in (
        (4, {"metrics_raw", "increase_1min", "increase_1hour"}),
        (9, {"increase_1min", "increase_1hour", "increase_1hour+increase_1min"}),
        (20, {"increase_1hour"}),
    ):
        store.clock.now_ms = midnight + days * DAY + HOUR
        while (await store.jobs.status()).watermarks["1min"] < store.clock.now_ms - HOUR:
            assert await store.jobs.tick()
        assert await store.jobs.tick()
        for step in (5 * MINUTE, HOUR, 6 * HOUR):
            for function in ("rate", "increase", "delta"):
                frame = await store.ask("m_total", start, end, step=step, function=function, aggregation="sum", group_by=["host"])
                assert_function(frame, model, function, "sum", start, end, ("host",))
                assert function == "delta" or frame.meta.table in tables
                assert not frame.meta.partial
    await store.ingest.stop()


async def test_what_is_no_counter_is_told_from_raw_alone_and_said_to_be_partial(store: Store) -> None:
    model, midnight = await _steady(store, "level")
    assert await store.jobs.tick()
    start, end = midnight + HOUR, midnight + 2 * DAY
    frame = await store.ask("level", start, end, step=HOUR, function="increase")
    assert (frame.meta.table, frame.meta.partial) == ("metrics_raw", False)
    assert_function(frame, model, "increase", "avg", start, end)
    store.clock.now_ms = midnight + 9 * DAY + HOUR
    while (await store.jobs.status()).horizons["raw"] < midnight + DAY:
        assert await store.jobs.tick()
    frame = await store.ask("level", start, end, step=HOUR, function="increase")
    # The first hour's samples would be compared with samples that are gone.
    assert (frame.meta.partial, frame.meta.covered_start_ms) == (True, midnight + DAY + HOUR)
    assert_function(frame, model, "increase", "avg", midnight + DAY + HOUR, end)
    # A plain change is told from every level.
    frame = await store.ask("level", start, end, step=HOUR, function="delta")
    assert not frame.meta.partial
    assert_function(frame, model, "delta", "avg", start, end)

    # Becoming a counter computes what raw still holds, and no more.
    await store.catalog.update("level", MetricUpdate(type="counter"))
    assert await store.jobs.tick()
    assert await store.value("SELECT since FROM counters") == from_ms(midnight + DAY)
    frame = await store.ask("level", start, end, step=HOUR, function="increase")
    assert (frame.meta.table, frame.meta.covered_start_ms) == ("increase_1hour", midnight + DAY + HOUR)
    assert_function(frame, model, "increase", "avg", midnight + DAY + HOUR, end)
    frame = await store.ask("level", midnight, midnight + 5 * HOUR, step=HOUR, function="increase")
    assert frame.empty
    assert frame.meta.partial


async def test_becoming_a_counter_takes_bounded_steps_and_is_answered_from_raw_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "DIRTY_HOURS_A_STEP", 7)
    model, midnight = await _steady(store, "level")
    while (await store.jobs.status()).dirty:
        assert await store.jobs.tick()
    start, end = midnight, midnight + 2 * DAY
    await store.catalog.update("level", MetricUpdate(type="counter"))
    await store.jobs.lease.renew()
    horizon = (await store.jobs.status()).horizons["raw"]
    steps = 0
    while True:
        more = await store.jobs.refresh.step()
        steps += 1
        frame = await store.ask("level", start, end, step=HOUR, function="increase", group_by=["host"])
        assert_function(frame, model, "increase", "avg", start, end, ("host",))
        if not more:
            break
        assert frame.meta.table == "metrics_raw"
        # What isn't computed yet must not be dropped.
        store.clock.now_ms += 8 * DAY
        await store.jobs.retention.advance()
        store.clock.now_ms -= 8 * DAY
        assert (await store.jobs.status()).horizons["raw"] == horizon
    assert steps >= 96 / 7
    assert frame.meta.table == "increase_1hour"
    # A counter no longer: nothing is computed for it, and raw answers.
    await store.catalog.update("level", MetricUpdate(type="gauge"))
    assert await store.jobs.tick()
    frame = await store.ask("level", start, end, step=HOUR, function="increase", group_by=["host"])
    assert frame.meta.table == "metrics_raw"
    assert_function(frame, model, "increase", "avg", start, end, ("host",))


async def test_names_and_what_is_known_beforehand_make_counters(store: Store) -> None:
    now = store.clock.now_ms
    for name in ("a_total", "a_sum", "a_count", "a_bucket", "a_totals", "total", "a"):
        await store.write(name, (now, 1.0))
    await store.catalog.describe([MetricInfo(name="b", type="counter"), MetricInfo(name="b_total"), MetricInfo(name="c")])
    counters = {info.name for info in await store.catalog.search("") if info.type == "counter"}
    assert counters == {"a_total", "a_sum", "a_count", "a_bucket", "b", "b_total"}
    assert await store.jobs.tick()
    assert await store.value("SELECT count(*)::int FROM counters WHERE after_series IS NULL") == 6


@postgres_only  # on the other tier nothing is written at all
async def test_without_counters_no_increases_are_computed(store: Store) -> None:
    await store.write("level", (store.clock.now_ms - 3 * HOUR, 1.0))
    asked: list[str] = []
    original = store.jobs.refresh._write

    async def seen(connection: Any, statements: Any, *rest: Any) -> Any:
        asked.append(statements["hours_of_hours"])
        return await original(connection, statements, *rest)

    store.jobs.refresh._write = seen  # type: ignore[method-assign]
    assert await store.jobs.tick()
    assert asked
    assert not any("increase" in statement for statement in asked)
