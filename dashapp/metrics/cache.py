"""The read path with a memory: the same questions and answers as the `Reader`, some of them from a cache.

History is kept 300 s under the exact query and the metric's generation, which was read before the query: what a slow
query brings back is never taken for newer than that. A range that touches now is kept 10 s, with its ends cut to 10 s,
so that viewers whose ranges slide share answers. Identical queries under way run once.

Alerts and the live hub ask the `Reader` itself: they never judge a kept number.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import orjson

from dashapp.contract.frames import Frame, Series
from dashapp.contract.metrics import MetricQuery
from dashapp.errors import DashappError
from dashapp.metrics.changes import Generations
from dashapp.metrics.clock import HISTORY_MS, MINUTE, SECOND, SLACK_MS, Clock, system_clock
from dashapp.metrics.query import Reader, or_error, step_of
from dashapp.metrics.stores import Store

HISTORY_SECONDS, LIVE_SECONDS = 300.0, 10.0
_CUT_MS = 10 * SECOND
#: Ranges that are shorter aren't cut: 10 s more or less would be another range.
_SHORTEST_CUT_MS = MINUTE
#: What isn't part of the question, or is part of it in another form.
_APART = {"id", "counts", "start", "end", "step", "max_points"}


@dataclass(frozen=True)
class _Place:
    """Where an answer is kept, and how long."""

    key: bytes
    seconds: float


@dataclass(eq=False)
class _Flight:
    """One reading that several may wait for."""

    query: MetricQuery
    task: asyncio.Task[Frame] = field(init=False)
    #: Whether the database is being asked: then what is committed from now on may be missing.
    begun: bool = False


class CachedReader:
    """Answers questions about samples, if need be with numbers that are a few seconds old."""

    def __init__(
        self, reader: Reader, generations: Generations, store: Store,
        *, clock: Clock = system_clock, timer: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.reader, self.generations, self.store = reader, generations, store
        self.clock, self._timer = clock, timer
        #: Queries answered from the cache, and by the database.
        self.hits = 0
        self.misses = 0
        self._flights: dict[bytes, _Flight] = {}

    async def frame(self, query: MetricQuery, *, past: bool = False) -> Frame:
        """As `Reader.frame`; with `past`, past the cache."""
        (place,), (kept,) = await self._look([query], past)
        return await self._answer(query, place, kept, past)

    async def frames(self, queries: list[MetricQuery], *, past: bool = False) -> list[Frame | DashappError]:
        """As `Reader.frames`; with `past`, past the cache."""
        places, found = await self._look(queries, past)
        asked = zip(queries, places, found, strict=True)
        return list(
            await asyncio.gather(*(or_error(query, self._answer(query, place, kept, past)) for query, place, kept in asked))
        )

    async def close(self) -> None:
        """Wait for what is being read."""
        await asyncio.gather(*(flight.task for flight in self._flights.values()), return_exceptions=True)
        self.generations.close()
        await self.store.close()

    # -- places ------------------------------------------------------------------------------------------------

    async def _look(self, queries: list[MetricQuery], past: bool) -> tuple[list[_Place | None], list[Frame | None]]:
        """By query: where its answer is kept, and the answer if there is one."""
        now_ms = self.clock()
        history = [query.end_ms <= now_ms - HISTORY_MS - SLACK_MS for query in queries]
        try:
            names = {query.query for query, ended in zip(queries, history, strict=True) if ended}
            generations = await self.generations.of(names) if names else {}
        except DashappError:  # whether a kept answer still stands can't be told
            return [None] * len(queries), [None] * len(queries)
        places: list[_Place | None] = [
            _Place(_key(query, generations[query.query]), HISTORY_SECONDS) if ended else _Place(_key(query, None), LIVE_SECONDS)
            for query, ended in zip(queries, history, strict=True)
        ]
        if past:
            return places, [None] * len(queries)
        return places, await self.store.get([place.key for place in places if place])

    async def _answer(self, query: MetricQuery, place: _Place | None, kept: Frame | None, past: bool) -> Frame:
        if kept is not None:
            self.hits += 1
            return _for(query, kept)
        flight = self._join(query, place, past)
        shared = flight.begun or (flight.query.start, flight.query.end) != (query.start, query.end)
        if shared:
            self.hits += 1
        else:
            self.misses += 1
        # Whoever goes away doesn't end it for the others.
        frame = await asyncio.shield(flight.task)
        return _for(query, frame) if shared else frame

    # -- reading -----------------------------------------------------------------------------------------------

    def _join(self, query: MetricQuery, place: _Place | None, past: bool) -> _Flight:
        # Past the cache, neither another range nor a reading that may have missed a commit will do.
        key = _exact(query) if past or place is None else place.key
        current = self._flights.get(key)
        if current is not None and not (past and current.begun):
            return current
        flight = _Flight(query)
        self._flights[key] = flight
        flight.task = asyncio.create_task(self._fly(flight, key, place, current))
        flight.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return flight

    async def _fly(self, flight: _Flight, key: bytes, place: _Place | None, before: _Flight | None) -> Frame:
        try:
            if before is not None:
                await asyncio.wait([before.task])
            flight.begun, read_at = True, self._timer()
            frame = await self.reader.frame(flight.query)
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
        if place is not None:
            self.store.put(place.key, frame, read_at, place.seconds)
        return frame


def _exact(query: MetricQuery) -> bytes:
    return _text(query, step_of(query), query.start_ms, query.end_ms, "exact")


def _key(query: MetricQuery, generation: int | None) -> bytes:
    """The normalised query: of history with its generation, of a range that touches now with its ends cut."""
    start, end = query.start_ms, query.end_ms
    if generation is None and end - start >= _SHORTEST_CUT_MS:
        start, end = start // _CUT_MS * _CUT_MS, end // _CUT_MS * _CUT_MS
    return _text(query, step_of(query), start, end, "now" if generation is None else generation)


def _text(query: MetricQuery, *parts: object) -> bytes:
    return orjson.dumps([query.model_dump(exclude=_APART), *parts], option=orjson.OPT_SORT_KEYS)


def _for(query: MetricQuery, frame: Frame) -> Frame:
    """A kept answer for a query whose range may have slid by less than 10 s: without the buckets that lie beyond it."""
    start, end, meta = query.start_ms, query.end_ms, frame.meta
    meta = replace(
        meta, cached=True, covered_start_ms=max(meta.covered_start_ms, start), covered_end_ms=min(meta.covered_end_ms, end)
    )
    first = int(np.searchsorted(frame.times, start - meta.step_ms, "right"))
    last = int(np.searchsorted(frame.times, end, "left"))
    if (first, last) == (0, frame.times.size):
        return Frame(frame.times, frame.series, meta)
    inside = slice(first, last)
    return Frame(frame.times[inside], [Series(own.tags, own.values[inside], own.counts[inside]) for own in frame.series], meta)
