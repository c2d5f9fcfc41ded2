"""Frames: what a question is answered with, and what isn't answered."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.contract.durations import parse_ms
from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery, Point, Selection
from dashapp.errors import DashappError, ValidationFailed
from dashapp.metrics import query
from dashapp.metrics.query import MOST_ROWS, most_rows
from dashapp.metrics.routing import plan
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, both_tiers, postgres_only

pytestmark = both_tiers


async def test_an_unknown_metric_gives_an_empty_frame(store: Store) -> None:
    now = store.clock.now_ms
    frame = await store.ask("nowhere", now - HOUR, now)
    assert frame.empty
    assert frame.series == []
    assert frame.step_ms == 5_000
    assert (frame.meta.table, frame.meta.resolution, frame.meta.partial) == ("metrics_raw", "raw", False)


async def test_only_series_with_all_the_tags_count(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("m", (now, 1.0), host="a", dc="x")
    await store.write("m", (now, 2.0), host="b", dc="x")
    await store.write("m", (now, 4.0), host="b", dc="y")
    await store.write("other", (now, 8.0), host="b", dc="y")
    for tags, total in (({}, 7.0), ({"dc": "x"}, 3.0), ({"dc": "x", "host": "b"}, 2.0)):
        frame = await store.ask("m", now, now + 1, step=1000, aggregation="sum", tags=tags)
        assert [series.values.tolist() for series in frame.series] == [[total]]
        assert frame.series[0].tags == {}
    assert (await store.ask("m", now, now + 1, step=1000, tags={"dc": "z"})).empty


async def test_a_tag_may_have_any_of_several_values(store: Store) -> None:
    now = store.clock.now_ms // MINUTE * MINUTE
    for value, host in ((1.0, "a"), (2.0, "b"), (4.0, "c")):
        await store.write("m", (now, value), host=host, dc="x")
    await store.write("m", (now, 8.0), dc="x")
    await store.write("m", (now, 16.0), host="a", dc="y")
    # An average over all that are chosen weighs their samples, and isn't one of averages.
    for tags, total, average in (
        ({"host": ["a", "b"]}, 19.0, 19 / 3), ({"host": ["a", "b"], "dc": "x"}, 3.0, 1.5),
        ({"host": ["c", "nobody"], "dc": ["x", "y"]}, 4.0, 4.0),
    ):  # fmt: skip
        for aggregation, expected in (("sum", total), ("avg", average)):
            frame = await store.ask("m", now, now + 1, step=1000, aggregation=aggregation, tags=tags)
            assert [series.values.tolist() for series in frame.series] == [[expected]]
    frame = await store.ask("m", now, now + 1, step=1000, group_by=["host"], tags={"host": ["a", "c"]})
    assert [series.tags for series in frame.series] == [{"host": "a"}, {"host": "c"}]
    assert (await store.ask("m", now, now + 1, step=1000, tags={"host": ["x", "y"]})).empty
    assert await store.reader.newest(Selection(query="m", tags={"host": ["a", "c"]})) == now


async def test_groups_have_the_tags_that_they_are_grouped_by_and_share_the_times(store: Store) -> None:
    now = store.clock.now_ms // MINUTE * MINUTE
    await store.write("m", (now, 1.0), (now + 1000, 3.0), host="a", disk="0")
    await store.write("m", (now, 5.0), host="a", disk="1")
    await store.write("m", (now + 2000, 7.0), host="b")
    await store.write("m", (now, 9.0))
    frame = await store.ask("m", now, now + 5000, step=1000, group_by=["host"])
    assert frame.times.tolist() == [now, now + 1000, now + 2000]
    assert frame.times.dtype == np.int64
    assert [series.tags for series in frame.series] == [{"host": "a"}, {"host": "b"}, {}]
    assert np.array_equal(frame.series[0].values, [3.0, 3.0, np.nan], equal_nan=True)
    assert frame.series[0].counts.tolist() == [2.0, 1.0, 0.0]
    frame = await store.ask("m", now, now + 5000, step=1000, group_by=["host", "disk"])
    assert [series.tags for series in frame.series] == [{"host": "a", "disk": "0"}, {"host": "a", "disk": "1"}, {"host": "b"}, {}]


async def test_buckets_are_multiples_of_the_step_since_the_epoch_and_ends_are_exclusive(store: Store) -> None:
    start = store.clock.now_ms // DAY * DAY - DAY
    await store.write("m", (start - 1, 1.0), (start, 2.0), (start + HOUR, 4.0), (start + HOUR + 1, 8.0))
    frame = await store.ask("m", start, start + HOUR, step=7_000, aggregation="sum")
    assert frame.times.tolist() == [start // 7_000 * 7_000]
    assert frame.series[0].values.tolist() == [2.0]
    await store.jobs.tick()
    frame = await store.ask("m", start - 1, start + HOUR + 1, step=7 * DAY, aggregation="sum")
    assert sum(frame.series[0].values.tolist()) == 7.0
    assert frame.times[0] == (start - 1) // (7 * DAY) * 7 * DAY


async def test_an_answer_that_is_too_large_names_the_step_that_works(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MOST_POINTS", 100)
    now = store.clock.now_ms
    for host in "abc":
        await store.write("m", (now, 1.0), host=host)
    with pytest.raises(ValidationFailed, match="a step of 2m would work") as caught:
        await store.ask("m", now - HOUR, now + 1, step=1000, group_by=["host"])
    assert "step" in caught.value.details
    assert not (await store.ask("m", now - HOUR, now + 1, step=2 * MINUTE, group_by=["host"])).empty
    monkeypatch.setattr(query, "MOST_POINTS", 3)
    with pytest.raises(ValidationFailed, match="filter by tags"):
        await store.ask("m", now - HOUR, now + 1, step=1000, group_by=["host"])


@pytest.mark.parametrize("step", [0, 500, 1500, -1000])
async def test_a_step_is_whole_seconds(store: Store, step: int) -> None:
    with pytest.raises(ValidationFailed, match="whole seconds"):
        await store.ask("m", 0, 1000, step=step)


async def test_one_query_of_many_fails_alone(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("m", (now, 1.0))
    good = MetricQuery.over(Selection(query="m"), now, now + 1)
    bad = MetricQuery.over(Selection(query="m"), now, now + 1, step=1)
    answers = await store.reader.frames([good, bad, *[good] * 20])
    assert isinstance(answers[1], ValidationFailed)
    assert all(isinstance(answer, Frame) and answer.times.size == 1 for place, answer in enumerate(answers) if place != 1)
    assert await store.reader.frames([]) == []


async def test_samples_that_are_denser_than_thought_are_grouped_by_the_database(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = store.clock.now_ms // MINUTE * MINUTE - MINUTE
    await store.write("m", *((start + 500 * n, float(n)) for n in range(120)))
    monkeypatch.setattr("dashapp.metrics.query.MOST_ROWS", 6)
    asked = MetricQuery.over(Selection(query="m", aggregation="sum"), start, start + MINUTE, step=MINUTE)
    assert (await store.reader.frame(asked)).series[0].values.tolist() == [sum(range(120))]


def test_rows_that_grouping_would_hardly_make_fewer_are_handed_over() -> None:
    assert most_rows(MOST_ROWS, 1) >= MOST_ROWS
    assert most_rows(1_000_000, 1_000_000) > 1_000_000
    assert most_rows(1_000_000, 100_000) == 0


async def test_a_query_that_fails_inside_is_an_error_without_internals(store: Store) -> None:
    store.reader._droppable = None  # type: ignore[assignment, method-assign]
    (answer,) = await store.reader.frames([MetricQuery.over(Selection(query="m"), 0, 1000)])
    assert isinstance(answer, DashappError)
    assert "NoneType" not in str(answer)


async def test_a_committed_point_counts_at_once_also_beyond_the_watermark(store: Store) -> None:
    await store.jobs.tick()
    now = store.clock.now_ms
    await store.write("m", (now, 1.0), (now + 30 * MINUTE, 2.0))
    for step in (1000, MINUTE, HOUR, DAY):
        frame = await store.ask("m", now // DAY * DAY, now // DAY * DAY + 2 * DAY, step=step, aggregation="sum")
        assert sum(frame.series[0].values.tolist()) == 3.0 or frame.series[0].values.tolist() == [1.0, 2.0]


async def test_newest(store: Store) -> None:
    now = store.clock.now_ms
    assert await store.reader.newest(Selection(query="m")) is None
    await store.write("m", (now - 3 * DAY, 1.0), (now - 3 * DAY - 1, 1.0), host="a")
    assert await store.reader.newest(Selection(query="m")) == now - 3 * DAY
    await store.write("m", (now - 3, 1.0), (now - 4, 1.0), host="b")
    assert await store.reader.newest(Selection(query="m")) == now - 3
    assert await store.reader.newest(Selection(query="m", tags={"host": "a"})) == now - 3 * DAY
    assert await store.reader.newest(Selection(query="m", tags={"host": "c"})) is None


@postgres_only  # TimescaleDB for tests is one backend, which has one transaction at a time
async def test_queries_beside_ingest_and_refreshes_always_see_whole_requests(store: Store) -> None:
    """Each request writes one sample to each of ten series: whatever moment a query sees, their counts are the same."""
    base = store.clock.now_ms - 30 * MINUTE
    await store.jobs.tick()
    done = False

    async def pour() -> None:
        nonlocal done
        for number in range(40):
            store.clock.now_ms += MINUTE
            at = base + number * MINUTE
            await store.ingest.write([Point(name="m", value=1.0, tags={"n": str(n)}, timestamp=at) for n in range(10)])
            await store.jobs.tick()
        done = True

    async def look() -> None:
        while not done:
            frame = await store.ask("m", base - DAY, base + DAY, step=MINUTE, aggregation="count", group_by=["n"])
            assert len({series.values.tobytes() for series in frame.series}) <= 1

    await asyncio.gather(pour(), look(), look())
    frame = await store.ask("m", base - DAY, base + DAY, step=DAY, aggregation="count")
    assert sum(frame.series[0].values.tolist()) == 400


horizons = (
    st.tuples(*[st.integers(0, 400)] * 3).map(sorted).map(lambda days: dict(zip(("1hour", "1min", "raw"), days, strict=True)))
)


@given(
    end=st.integers(401 * DAY, 1_000 * DAY), span=st.integers(1, 400 * DAY), step=st.integers(1, 86_400),
    groups=st.sampled_from([1, 2, 3, 10, 999, 100_000, 400_000, 499_999]), held=horizons,
)  # fmt: skip
def test_the_step_that_is_named_works(end: int, span: int, step: int, groups: int, held: dict[str, int]) -> None:
    stored = {level: days * DAY for level, days in held.items()}
    try:
        query._refuse_too_large(plan(end - span, end, step * 1000, stored), groups)
    except ValidationFailed as error:
        refused = str(error)
    else:
        return
    named = re.search(r"a step of (\w+) would work", refused)
    assert named or "filter by tags" in refused
    if named:
        query._refuse_too_large(plan(end - span, end, parse_ms(named[1]), stored), groups)
