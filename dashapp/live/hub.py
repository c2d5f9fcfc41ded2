"""The live hub: viewers subscribe to windows; the hub asks the database once for each distinct query and tick.

Ticks are multiples of the interval, so that viewers with the same refresh share them. Each tick reads the newest two
minutes of every window again, and a whole window where its metric's history changed (its generation rose). Nothing
is asked for while nobody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from dashapp.contract.metrics import MetricQuery
from dashapp.errors import DashappError
from dashapp.live.window import LiveQuery, Window
from dashapp.metrics import changes

if TYPE_CHECKING:
    from dashapp.contract.frames import Frame
    from dashapp.database.pool import Database
    from dashapp.metrics.query import Reader

log = logging.getLogger(__name__)

#: What a viewer is told at each tick: the time of the tick in Unix ms, and its windows.
Listener = Callable[[int, Mapping[LiveQuery, Window]], None]
#: A window nobody watches is kept this long, for the reload and the next viewer.
_LINGER_MS = 30_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Subscription:
    """A viewer's claim to windows. `close` it when the viewer is gone."""

    def __init__(self, hub: LiveHub, queries: Iterable[LiveQuery], interval_ms: int, listener: Listener) -> None:
        self.queries = frozenset(queries)
        self.interval_ms = interval_ms
        self.listener: Listener | None = listener
        self._hub = hub

    def close(self) -> None:
        self.listener = None
        self._hub._subscriptions.discard(self)


class LiveHub:
    """One a process. `start` it on the loop that serves the viewers and `stop` it there."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._database, self._reader = database, reader
        self._windows: dict[LiveQuery, Window] = {}
        self._used_ms: dict[LiveQuery, int] = {}
        self._fills: dict[LiveQuery, asyncio.Task[None]] = {}
        self._subscriptions: set[Subscription] = set()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="live hub")

    async def stop(self) -> None:
        for task in [*self._fills.values(), *([self._task] if self._task else [])]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._fills.clear()
        self._task = None

    @property
    def viewers(self) -> int:
        return len(self._subscriptions)

    @property
    def windows_held(self) -> int:
        return len(self._windows)

    def subscribe(self, queries: Iterable[LiveQuery], interval_ms: int, listener: Listener) -> Subscription:
        """Tell `listener` at each tick of `interval_ms` how the windows of `queries` stand. It must not block."""
        subscription = Subscription(self, queries, interval_ms, listener)
        self._subscriptions.add(subscription)
        self._wake.set()
        return subscription

    async def windows(self, queries: Iterable[LiveQuery], *, fresh: bool = False) -> dict[LiveQuery, Window]:
        """The windows as they stand now, read where there is none; viewers that come together share the reading.

        `fresh` reads those anew that stand on an error.
        """
        wanted = list(dict.fromkeys(queries))
        moment = now_ms()
        await self._bring(wanted, moment, whole={query for query in wanted if fresh and self._window(query).error})
        return {query: self._window(query) for query in wanted}

    async def once(self, selections_and_bounds: list[tuple[LiveQuery, int, int]]) -> list[Window]:
        """Answers over fixed ranges, which don't slide: read once, kept nowhere."""
        queries = [MetricQuery.over(query.selection, start, end, step=query.step_ms) for query, start, end in selections_and_bounds]
        moment = now_ms()
        return [_window(answer, moment) for answer in await self._reader.frames(queries)]

    # -- ticking -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        last = now_ms()
        while True:
            intervals = {subscription.interval_ms for subscription in self._subscriptions}
            if not intervals:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _LINGER_MS / 1000)
                last = now_ms()
                # Without ticks there are windows too: of pages that don't refresh, of snapshots, of those who have left.
                self._forget(last)
                continue
            due = min(last // interval * interval + interval for interval in intervals)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                # A newcomer with a shorter interval moves the next tick nearer.
                await asyncio.wait_for(self._wake.wait(), max(0.0, (due - now_ms()) / 1000))
                continue
            now = now_ms()
            if now < due:
                continue
            ticking = [s for s in self._subscriptions if now // s.interval_ms > last // s.interval_ms]
            last = now
            try:
                await self._tick(ticking, now)
            except Exception:
                log.exception("a live tick failed")

    async def _tick(self, subscriptions: list[Subscription], moment: int) -> None:
        await self._bring({query: None for subscription in subscriptions for query in subscription.queries}, moment, advance=True)
        for subscription in subscriptions:
            if subscription.listener is not None:
                try:
                    subscription.listener(moment, {query: self._window(query) for query in subscription.queries})
                except Exception:
                    log.exception("a live viewer failed")
        self._forget(moment)

    def _forget(self, moment: int) -> None:
        watched = {query for subscription in self._subscriptions for query in subscription.queries}
        for query, used in list(self._used_ms.items()):
            if query in watched:
                self._used_ms[query] = moment
            elif moment - used > _LINGER_MS:
                self._windows.pop(query, None)
                del self._used_ms[query]

    # -- reading -----------------------------------------------------------------------------------------------

    def _window(self, query: LiveQuery) -> Window:
        return self._windows.get(query, Window())

    async def _bring(
        self, queries: Iterable[LiveQuery], moment: int, *, advance: bool = False, whole: Iterable[LiveQuery] = ()
    ) -> None:
        """Read what is missing, and with `advance` what is old; wait for readings that are already under way."""
        forced = set(whole)
        queries = list(queries)
        waiting = {self._fills[query] for query in queries if query in self._fills}
        mine = []
        for query in queries:
            self._used_ms[query] = moment
            window = self._window(query)
            if query in self._fills:
                continue
            # A window that was left alone for longer than a tick re-reads has a hole that only a whole reading fills.
            if window.frame is None or query in forced or advance or moment - window.as_of_ms > 2_000:
                mine.append(query)
        if mine:
            task = asyncio.create_task(self._read(mine, moment, forced))
            for query in mine:
                self._fills[query] = task
            task.add_done_callback(lambda done: self._filled(mine, done))
            waiting.add(task)
        if waiting:
            await asyncio.wait(waiting)

    def _filled(self, queries: list[LiveQuery], task: asyncio.Task[None]) -> None:
        for query in queries:
            if self._fills.get(query) is task:
                del self._fills[query]
        if not task.cancelled() and (error := task.exception()):
            log.error("reading for the live hub failed", exc_info=error)

    async def _read(self, queries: list[LiveQuery], moment: int, forced: set[LiveQuery]) -> None:
        names = sorted({query.selection.query for query in queries})
        try:
            # Before the frames: a change between the two is then read again at the next tick, never missed.
            generations = await changes.generations(self._database, names)
        except DashappError as error:
            for query in queries:
                self._windows[query] = self._window(query).failed(error)
            return
        asked = []
        for query in queries:
            window = self._window(query)
            partly = (
                window.frame is not None
                and query not in forced
                and window.generation == generations.get(query.selection.query, 0)
                # The part between the last good answer and the re-read one would be missing.
                and window.as_of_ms >= query.cut(moment) + query.step_ms
            )
            asked.append((query, partly))
        answers = await self._reader.frames([query.newest(moment) if partly else query.whole(moment) for query, partly in asked])
        for (query, partly), answer in zip(asked, answers, strict=True):
            window = self._window(query)
            if isinstance(answer, DashappError):
                self._windows[query] = window.failed(answer)
            elif partly:
                self._windows[query] = window.advanced(query, answer, moment)
            else:
                self._windows[query] = window.filled(answer, moment, generations.get(query.selection.query, 0))


def _window(answer: Frame | DashappError, moment: int) -> Window:
    return Window(error=answer) if isinstance(answer, DashappError) else Window(answer, moment)
