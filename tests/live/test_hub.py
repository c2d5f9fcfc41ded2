"""The hub on a real database: one query for all viewers, exact windows, nothing for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from dashapp.contract.metrics import MetricQuery, Point, Selection
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.pool import Database
from dashapp.errors import Unavailable
from dashapp.live import hub as hub_module
from dashapp.live.hub import LiveHub, now_ms
from dashapp.live.window import LiveQuery, Window
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.query import Reader
from dashapp.settings import Settings


class CountingReader(Reader):
    """The real reader, and how often and for what it was asked."""

    asked: list[MetricQuery]

    async def frames(self, queries: list[MetricQuery]) -> Any:
        self.asked.extend(queries)
        return await super().frames(queries)


@pytest.fixture
async def parts(database: Database, postgres: EmbeddedPostgres) -> AsyncIterator[tuple[Ingest, CountingReader, LiveHub]]:
    settings = Settings()
    ingest, reader = Ingest(database, settings), CountingReader(database, settings)
    reader.asked = []
    hub = LiveHub(database, reader)
    await ingest.start()
    hub.start()
    yield ingest, reader, hub
    await hub.stop()
    await ingest.stop()


def query(name: str = "live.test", span_ms: int = 900_000, step_ms: int = 1000) -> LiveQuery:
    return LiveQuery(Selection(query=name), span_ms, step_ms)


class Viewer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Mapping[LiveQuery, Window]] = []
        self.event = asyncio.Event()

    def __call__(self, moment: int, windows: Mapping[LiveQuery, Window]) -> None:
        self.told.append(windows)
        self.event.set()

    async def next(self) -> Mapping[LiveQuery, Window]:
        self.event.clear()
        await asyncio.wait_for(self.event.wait(), 10)
        return self.told[-1]


def last(window: Window) -> float | None:
    assert window.frame is not None
    return float(window.frame.series[0].values[-1]) if window.frame.series else None


async def test_a_hundred_viewers_ask_no_more_than_one(parts: tuple[Ingest, CountingReader, LiveHub]) -> None:
    ingest, reader, hub = parts
    await ingest.write([Point(name="live.test", value=1.0)])
    first = Viewer()
    alone = hub.subscribe([query()], 1000, first)
    await first.next()
    reader.asked.clear()
    await first.next()
    once = len(reader.asked)
    viewers = [Viewer() for _ in range(99)]
    subscriptions = [hub.subscribe([query()], 1000, viewer) for viewer in viewers]
    await first.next()
    reader.asked.clear()
    await first.next()
    assert len(reader.asked) == once == 1
    assert all(viewer.told for viewer in viewers)
    for subscription in [alone, *subscriptions]:
        subscription.close()


async def test_new_samples_and_late_ones_arrive_by_the_next_ticks(parts: tuple[Ingest, CountingReader, LiveHub]) -> None:
    ingest, _, hub = parts
    now = now_ms()
    await ingest.write([Point(name="live.test", value=1.0, timestamp=now - 5000)])
    viewer = Viewer()
    with_query = query()
    subscription = hub.subscribe([with_query], 1000, viewer)
    assert last((await viewer.next())[with_query]) == 1.0
    await ingest.write([Point(name="live.test", value=2.0)])
    assert last((await viewer.next())[with_query]) == 2.0
    # Ten minutes old: older than a tick reads again; the metric's generation tells.
    await ingest.write([Point(name="live.test", value=9.0, timestamp=now - 600_000)])
    frame = (await viewer.next())[with_query].frame
    assert frame is not None
    assert frame.times[0] == (now - 600_000) // 1000 * 1000
    assert frame.series[0].values[0] == 9.0
    subscription.close()


async def test_a_rate_is_the_same_piece_by_piece_and_asked_as_a_whole(parts: tuple[Ingest, CountingReader, LiveHub]) -> None:
    ingest, _, hub = parts
    now = now_ms()
    await ingest.write(
        [Point(name="live_total", value=float(place), timestamp=now - 600_000 + place * 10_000) for place in range(61)]
    )
    rate = LiveQuery(Selection(query="live_total", function="rate"), 900_000, 10_000)
    assert rate != LiveQuery(Selection(query="live_total"), 900_000, 10_000)
    viewer = Viewer()
    subscription = hub.subscribe([rate], 1000, viewer)
    await viewer.next()
    # The next tick reads the newest end alone; its first bucket still knows the sample before it.
    frame = (await viewer.next())[rate].frame
    assert frame is not None
    assert frame.series[0].values.tolist() == [0.0] + [0.1] * 60
    subscription.close()


async def test_nobody_watching_asks_nothing(parts: tuple[Ingest, CountingReader, LiveHub]) -> None:
    _, reader, hub = parts
    viewer, other = Viewer(), Viewer()
    subscription = hub.subscribe([query()], 1000, viewer)
    await viewer.next()
    subscription.close()
    assert hub.viewers == 0
    counted, told = len(reader.asked), len(viewer.told)
    # Another hub's ticks are the clock here: two of them pass without a question.
    clock = LiveHub(hub._database, Reader(hub._database, Settings()))
    clock.start()
    ticking = clock.subscribe([query("live.clock")], 1000, other)
    await other.next()
    await other.next()
    ticking.close()
    await clock.stop()
    assert (len(reader.asked), len(viewer.told)) == (counted, told)


async def test_windows_that_nobody_wants_are_let_go(
    parts: tuple[Ingest, CountingReader, LiveHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest, _, hub = parts
    monkeypatch.setattr(hub_module, "_LINGER_MS", 20)
    await ingest.write([Point(name="live.test", value=1.0)])
    # A page that doesn't refresh, or a snapshot: it never subscribes.
    await hub.windows([query()])
    assert hub.windows_held == 1
    subscription = hub.subscribe([query("live.other")], 1000, Viewer())
    subscription.close()
    async with asyncio.timeout(10):
        while hub.windows_held:
            await asyncio.sleep(0.01)


async def test_a_viewer_that_fails_leaves_the_others_alone(parts: tuple[Ingest, CountingReader, LiveHub]) -> None:
    _, _, hub = parts

    def broken(moment: int, windows: Mapping[LiveQuery, Window]) -> None:
        raise RuntimeError("a viewer's bug")

    viewer = Viewer()
    subscriptions = [hub.subscribe([query()], 1000, broken), hub.subscribe([query()], 1000, viewer)]
    await viewer.next()
    await viewer.next()
    for subscription in subscriptions:
        subscription.close()


async def test_viewers_that_come_together_share_the_first_reading(parts: tuple[Ingest, CountingReader, LiveHub]) -> None:
    ingest, reader, hub = parts
    await ingest.write([Point(name="live.test", value=1.0)])
    answers = await asyncio.gather(*(hub.windows([query()]) for _ in range(20)))
    assert len(reader.asked) == 1
    assert all(last(answer[query()]) == 1.0 for answer in answers)


async def test_an_answer_that_fails_keeps_the_last_frame(parts: tuple[Ingest, CountingReader, LiveHub], database: Database) -> None:
    ingest, _, hub = parts
    await ingest.write([Point(name="live.test", value=1.0)])
    good = (await hub.windows([query()]))[query()]
    assert last(good) == 1.0
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nowhere")
    hub._database = nowhere
    # As if it were long ago, so that the hub asks again.
    hub._windows[query()] = Window(good.frame, 0, None, good.generation, good.version)
    away = (await hub.windows([query()]))[query()]
    assert isinstance(away.error, Unavailable)
    assert last(away) == 1.0
    hub._database = database
    back = (await hub.windows([query()], fresh=True))[query()]
    assert back.error is None
    assert last(back) == 1.0
