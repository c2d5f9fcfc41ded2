"""Kept answers: which, how long, and never older than they may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery, Selection
from dashapp.database.notices import Notices
from dashapp.database.pool import Database
from dashapp.errors import DashappError, ValidationFailed
from dashapp.metrics.cache import CachedReader
from dashapp.metrics.changes import REMEMBERED_SECONDS, Generations
from dashapp.metrics.query import Reader
from dashapp.metrics.stores import InProcess
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, make_store
from tests.metrics.model import ManualClock


class Gate(Reader):
    """A reader that counts what it is asked, and can be held between its reading and its answer."""

    asked = 0
    held: asyncio.Event | None = None
    reading: asyncio.Event | None = None

    async def frame(self, query: MetricQuery) -> Frame:
        self.asked += 1
        frame = await super().frame(query)
        if self.held is not None:
            assert self.reading is not None
            self.reading.set()
            await self.held.wait()
        return frame

    def hold(self) -> None:
        self.held, self.reading = asyncio.Event(), asyncio.Event()


class Process:
    """The read path of one process: its own cache, and notices that can be cut off."""

    def __init__(self, store: Store, notices: Notices, kept: InProcess | None = None) -> None:
        self.store, self.notices = store, notices
        self.gate = Gate(store.database, store.settings, clock=store.clock)
        self.generations = Generations(store.database, notices, timer=self.timer)
        self.kept = kept or InProcess(timer=self.timer)
        self.cached = CachedReader(self.gate, self.generations, self.kept, clock=store.clock, timer=self.timer)

    def timer(self) -> float:
        return self.store.clock.now_ms / 1000

    async def ask(self, start: int, end: int, *, past: bool = False, **how: Any) -> Frame:
        return await self.cached.frame(question(start, end, **how), past=past)

    async def total(self, start: int, end: int, *, past: bool = False, **how: Any) -> tuple[float, bool]:
        """The sum of all values, and whether it is from the cache."""
        frame = await self.ask(start, end, past=past, **{"aggregation": "sum", **how})
        return sum(float(np.nansum(series.values)) for series in frame.series), frame.meta.cached

    async def told(self) -> None:
        """Wait until every notice that was committed has come."""
        heard = asyncio.Event()
        leave = self.notices.listen("told", lambda _: heard.set())
        async with self.store.database.connection() as connection:
            await connection.execute("SELECT pg_notify('dashapp', 'told now')")
        await asyncio.wait_for(heard.wait(), 20)
        leave()


def question(start: int, end: int, *, query: str = "m", step: int | None = None, max_points: int = 1000, **how: Any) -> MetricQuery:
    return MetricQuery.over(Selection(query=query, **how), start, end, step=step, max_points=max_points)


@pytest.fixture
async def process(store: Store) -> AsyncIterator[Process]:
    notices = Notices(store.database.url)
    notices.start()
    await asyncio.wait_for(notices.connected.wait(), 20)
    await store.watermark(store.clock.now_ms - DAY)  # so that late points show at once
    made = Process(store, notices)
    yield made
    await made.cached.close()
    await notices.stop()


@pytest.fixture
async def elsewhere(store: Store) -> Process:
    """Another process, which no notice reaches."""
    await store.watermark(store.clock.now_ms - DAY)
    return Process(store, Notices("postgresql://nowhere"))


async def test_history_is_kept_under_the_exact_query(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    await store.write("m", (now - HOUR, 1.0), host="a")
    await store.write("M", (now - HOUR, 5.0), host="a")
    start, end = now - 2 * HOUR, now - 10 * MINUTE
    assert await process.total(start, end) == (1.0, False)
    assert await process.total(start, end) == (1.0, True)
    store.clock.now_ms += 299_000
    assert await process.total(start, end) == (1.0, True)
    assert (process.cached.hits, process.cached.misses) == (2, 1)
    for other in (
        {"query": "M"}, {"tags": {"host": "a"}}, {"tags": {"host": "A"}}, {"group_by": ["host"]}, {"aggregation": "max"},
        {"step": 7_000}, {"max_points": 10},
    ):  # fmt: skip
        assert not (await process.ask(start, end, **{"aggregation": "sum", **other})).meta.cached
    for moved in ((start + 1, end), (start, end - 1)):
        assert await process.total(*moved) == (1.0, False)
    # The same question in other words.
    assert await process.total(start, end, step=10_000) == (1.0, False)
    assert await process.total(start, end, step=10_000, max_points=7) == (1.0, True)
    store.clock.now_ms += 2_000
    assert await process.total(start, end) == (1.0, False)


async def test_a_range_that_touches_now_is_kept_ten_seconds_and_may_slide_within_them(store: Store, process: Process) -> None:
    store.clock.now_ms = now = store.clock.now_ms // DAY * DAY + 12 * HOUR
    await store.write("m", *((now - 30_000 + 1000 * place, 1.0) for place in range(30)))
    assert await process.total(now - HOUR, now, step=1000) == (30.0, False)
    await store.write("m", (now - 1, 100.0))
    assert await process.total(now - HOUR, now, step=1000) == (30.0, True)
    assert await process.total(now - HOUR, now, step=1000, past=True) == (130.0, False)
    assert await process.total(now - HOUR, now, step=1000) == (130.0, True)
    store.clock.now_ms += 9_999
    assert await process.total(now - HOUR + 9_999, now + 9_999, step=1000) == (130.0, True)
    store.clock.now_ms += 1
    assert await process.total(now - HOUR + 9_999, now + 9_999, step=1000) == (130.0, False)


async def test_a_kept_answer_shows_no_bucket_beyond_the_range_that_is_asked(store: Store, process: Process) -> None:
    store.clock.now_ms = now = store.clock.now_ms // DAY * DAY + 12 * HOUR
    await store.write("m", *((now - 5 * MINUTE + 1000 * place, 1.0) for place in range(300)))
    whole = await process.ask(now - 5 * MINUTE, now, step=1000)
    cut = await process.ask(now - 5 * MINUTE + 4_000, now - 6_000 + 1, step=1000)
    assert whole.times.size == 300
    # Its ends lie in other tens of seconds, so it was asked for.
    assert not cut.meta.cached
    cut = await process.ask(now - 5 * MINUTE + 4_000, now + 3_000, step=1000)
    assert cut.meta.cached
    assert cut.times.tolist() == whole.times[4:].tolist()
    assert cut.series[0].values.size == 296
    assert (cut.meta.covered_start_ms, cut.meta.covered_end_ms) == (now - 5 * MINUTE + 4_000, now)


async def test_short_ranges_beside_each_other_are_different_questions(store: Store, process: Process) -> None:
    store.clock.now_ms = now = store.clock.now_ms // DAY * DAY + 12 * HOUR
    await store.write("m", (now + 1_000, 1.0), (now + 6_000, 2.0))
    assert await process.total(now, now + 5_000, step=1000) == (1.0, False)
    assert await process.total(now + 5_000, now + 10_000, step=1000) == (2.0, False)


async def test_a_late_point_and_a_correction_are_seen_at_once_where_notices_come(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    start, end = now - 2 * HOUR, now - 10 * MINUTE
    assert await process.total(start, end) == (0.0, False)
    assert await process.total(start, end) == (0.0, True)
    for value in (1.0, 5.0):
        await store.write("m", (now - HOUR, value))
        await process.told()
        assert await process.total(start, end) == (value, False)
        assert await process.total(start, end) == (value, True)


async def test_without_notices_other_processes_learn_within_ten_seconds(store: Store, elsewhere: Process) -> None:
    now = store.clock.now_ms
    start, end = now - 2 * HOUR, now - 10 * MINUTE
    await store.write("m", (now - HOUR, 1.0))
    assert await elsewhere.total(start, end) == (1.0, False)
    await store.write("m", (now - HOUR, 2.0))
    assert await elsewhere.total(start, end) == (1.0, True)
    assert await elsewhere.total(start, end, past=True) == (2.0, False)
    store.clock.now_ms += int(REMEMBERED_SECONDS * 1000)
    assert (await elsewhere.total(start, end))[0] == 2.0


async def test_a_slow_fill_does_not_bring_the_old_answer_back(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    start, end = now - 2 * HOUR, now - 10 * MINUTE
    await store.write("m", (now - HOUR, 1.0))
    process.gate.hold()
    assert process.gate.reading
    assert process.gate.held
    slow = asyncio.create_task(process.total(start, end))
    await process.gate.reading.wait()
    await store.write("m", (now - HOUR, 2.0))
    await process.told()
    process.gate.held.set()
    assert await slow == (1.0, False)
    assert await process.total(start, end) == (2.0, False)


async def test_late_points_that_rollups_show_later_are_not_hidden(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    await store.write("m", (now - 3 * HOUR, 1.0))
    await store.jobs.tick()
    await store.jobs.tick()
    start, end = (now - 5 * HOUR) // HOUR * HOUR, (now - HOUR) // HOUR * HOUR
    assert await process.total(start, end, step=HOUR) == (1.0, False)
    await store.write("m", (now - 3 * HOUR + 1, 1.0))
    await process.told()
    await process.total(start, end, step=HOUR)  # kept without the point, which no rollup shows yet
    await store.jobs.tick()
    await process.told()
    assert await process.total(start, end, step=HOUR) == (2.0, False)


async def test_identical_queries_under_way_run_once(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    await store.write("m", (now - HOUR, 1.0))
    for start, end in ((now - 2 * HOUR, now - 10 * MINUTE), (now - 2 * HOUR, now)):
        for past in (False, True):
            process.gate.asked = 0
            answers = await asyncio.gather(*(process.total(start, end, past=past, query="m") for _ in range(20)))
            assert {value for value, _ in answers} == {1.0}
            assert process.gate.asked == 1


async def test_past_the_cache_a_reading_that_may_have_missed_a_commit_is_not_shared(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    process.gate.hold()
    assert process.gate.reading
    assert process.gate.held
    first = asyncio.create_task(process.total(now - HOUR, now, past=True))
    await process.gate.reading.wait()
    await store.write("m", (now - MINUTE, 1.0))
    others = [asyncio.create_task(process.total(now - HOUR, now, past=True)) for _ in range(10)]
    process.gate.held.set()
    assert await first == (0.0, False)
    assert await asyncio.gather(*others) == [(1.0, False)] * 10
    assert process.gate.asked == 2


async def test_who_joins_a_reading_under_way_is_told_that_it_may_be_older(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    process.gate.hold()
    assert process.gate.reading
    assert process.gate.held
    first = asyncio.create_task(process.total(now - HOUR, now))
    await process.gate.reading.wait()
    second = asyncio.create_task(process.total(now - HOUR, now))
    gone = asyncio.create_task(process.total(now - HOUR, now))
    await asyncio.sleep(0)
    gone.cancel()
    process.gate.held.set()
    assert (await first, await second) == ((0.0, False), (0.0, True))
    assert process.gate.asked == 1


async def test_errors_are_not_kept_and_fail_alone(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    await store.write("m", (now - HOUR, 1.0))
    good, bad = question(now - 2 * HOUR, now - HOUR + 1), question(now - 2 * HOUR, now - HOUR, step=1)
    for cached in (False, True):
        answers = await process.cached.frames([good, bad])
        assert isinstance(answers[0], Frame)
        assert answers[0].meta.cached == cached
        assert isinstance(answers[1], ValidationFailed)
    assert await process.cached.frames([]) == []


async def test_without_a_database_nothing_is_known_and_the_query_says_so(store: Store, process: Process) -> None:
    now = store.clock.now_ms
    start, end = now - 2 * HOUR, now - 10 * MINUTE
    await process.ask(start, end)
    store.clock.now_ms += int(REMEMBERED_SECONDS * 1000)
    await store.database.close()
    answers = await process.cached.frames([question(start, end), question(start, end + MINUTE)])
    assert all(isinstance(answer, DashappError) for answer in answers)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([0, MINUTE, 3 * MINUTE, 5 * MINUTE, 30 * MINUTE, 3 * HOUR]), st.integers(1, 3)),
        st.tuples(st.just("pass"), st.sampled_from([1_000, 4_000, 9_000, 30_000, 4 * MINUTE]), st.just(0)),
        st.tuples(st.just("refresh"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)
ranges = st.lists(
    st.tuples(
        st.sampled_from([30 * MINUTE, HOUR, 4 * HOUR]), st.sampled_from([0, 2 * MINUTE, 200_000, 10 * MINUTE, HOUR]),
        st.sampled_from([10_000, MINUTE, HOUR]),
    ),
    min_size=1, max_size=3, unique=True,
).map(lambda found: [r for r in found if r[0] > r[1]] or [(HOUR, 0, MINUTE)])  # fmt: skip


async def _play(url: str, played: list[Any], asked: list[Any]) -> None:
    """After each action, every answer must be one that was right at most so long ago as the contract allows."""
    database = Database(url, size=4)
    await database.open()
    async with database.connection() as connection:
        await connection.execute(
            "TRUNCATE metrics_raw, rollup_1min, rollup_1hour, rollup_dirty, series, metrics, counters, leases, job_runs"
        )
    store = make_store(database, ManualClock(1_750_000_000_000 // DAY * DAY + 12 * HOUR))
    await store.watermark(store.clock.now_ms - HOUR)
    await store.ingest.start()
    notices = Notices(url)
    notices.start()
    await asyncio.wait_for(notices.connected.wait(), 20)
    near, far = Process(store, notices), Process(store, Notices("postgresql://nowhere"))
    base = store.clock.now_ms
    # What each question was rightly answered with, and until when: by question, [(answer, replaced at)].
    right: dict[Any, list[tuple[float, float]]] = {}
    try:
        for what, how, value in played:
            if what == "write":
                await store.write("m", (store.clock.now_ms - how, float(value)))
            elif what == "pass":
                store.clock.now_ms += how
            else:
                assert await store.jobs.tick()
            await near.told()
            for oldest, newest, step in asked:
                start, end = base - oldest, base - newest
                truth = await store.ask("m", start, end, step=step, aggregation="sum")
                now, total = store.clock.now_ms, float(np.nansum(truth.series[0].values)) if truth.series else 0.0
                history = right.setdefault((oldest, newest, step), [])
                if not history or history[-1][0] != total:
                    if history:
                        history[-1] = (history[-1][0], now)
                    history.append((total, float("inf")))
                for process in (near, far):
                    answer, cached = await process.total(start, end, step=step)
                    # Where notices come history is never old; elsewhere, and where the range touches now, up to 10 s.
                    touches = end > store.clock.now_ms - 3 * MINUTE
                    allowed = 10_000 if cached and (touches or process is far) else 0
                    assert answer in {kept for kept, until in history if until > now - allowed or until == float("inf")}
                    assert await process.total(start, end, step=step, past=True) == (total, False)
    finally:
        await store.ingest.stop()
        await near.cached.close()
        await notices.stop()
        await database.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(played=actions, asked=ranges)
def test_no_answer_is_older_than_it_may_be(database_url: str, played: list[Any], asked: list[Any]) -> None:
    asyncio.run(_play(database_url, played, asked))
