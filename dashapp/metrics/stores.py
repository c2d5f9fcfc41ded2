"""Where answers are kept: in this process, or in a Redis or Valkey that processes share.

Both take an answer with the moment since when it is true (`read_at`, on the clock of `time.monotonic`) and how long it
may be given from then on. Neither ever fails a query: what can't be had is a miss.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import struct
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

import numpy as np
import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from dashapp.contract.frames import Frame, FrameMeta, Series
from dashapp.database.pool import Database
from dashapp.errors import DashappError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Bytes that the answers kept in the process may have, and that one may have anywhere.
LIMIT = 64 * 1024 * 1024
LARGEST = 8 * 1024 * 1024


class Store(Protocol):
    async def get(self, keys: Sequence[bytes]) -> list[Frame | None]:
        """What is kept under each key."""

    def put(self, key: bytes, frame: Frame, read_at: float, seconds: float) -> None:
        """Keep an answer. Doesn't wait for it."""

    async def close(self) -> None: ...


def size_of(frame: Frame) -> int:
    """About the bytes that a frame takes."""
    texts = sum(len(key) + len(value) + 200 for series in frame.series for key, value in series.tags.items())
    return 500 + frame.times.nbytes * (1 + 2 * len(frame.series)) + texts + 300 * len(frame.series)


@dataclass(frozen=True)
class _Kept:
    frame: Frame
    until: float
    size: int


class InProcess:
    """The answers asked for last, up to `limit` bytes."""

    def __init__(self, limit: int = LIMIT, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._timer = limit, timer
        self.bytes = 0
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    async def get(self, keys: Sequence[bytes]) -> list[Frame | None]:
        return [self._get(key) for key in keys]

    def _get(self, key: bytes) -> Frame | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if self._timer() >= kept.until:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.frame

    def put(self, key: bytes, frame: Frame, read_at: float, seconds: float) -> None:
        size, until = size_of(frame) + len(key), read_at + seconds
        known = self._kept.get(key)
        if size > min(LARGEST, self.limit) or self._timer() >= until or (known is not None and known.until > until):
            return
        if known is not None:
            self._drop(key)
        self._kept[key] = _Kept(frame, until, size)
        self.bytes += size
        while self.bytes > self.limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        self.bytes -= self._kept.pop(key).size

    async def close(self) -> None:
        self._kept.clear()
        self.bytes = 0


# -- shared ----------------------------------------------------------------------------------------------------

_FORMAT = 1
_HEADER = struct.Struct("!BI")


def pack(frame: Frame, until_ms: int) -> bytes:
    """A frame as bytes: a header as JSON, then its columns as they lie in memory. `until_ms`: Unix ms."""
    meta = frame.meta
    header = orjson.dumps({
        "until": until_ms, "n": frame.times.size, "tags": [series.tags for series in frame.series],
        "meta": [meta.table, meta.resolution, meta.step_ms, meta.covered_start_ms, meta.covered_end_ms, meta.partial],
    })  # fmt: skip
    columns = [frame.times.astype("<i8", copy=False).tobytes()]
    for series in frame.series:
        columns += [series.values.astype("<f8", copy=False).tobytes(), series.counts.astype("<f8", copy=False).tobytes()]
    return b"".join([_HEADER.pack(_FORMAT, len(header)), header, *columns])


def unpack(raw: bytes) -> tuple[Frame, int]:
    """The frame, and until when it may be given (Unix ms).

    Raises:
        ValueError: it isn't what `pack` makes.
    """
    try:
        version, length = _HEADER.unpack_from(raw)
        if version != _FORMAT:
            raise ValueError(f"format {version}")
        header = orjson.loads(raw[_HEADER.size : _HEADER.size + length])
        n, tags = header["n"], header["tags"]
        body = memoryview(raw)[_HEADER.size + length :]
        if len(body) != 8 * n * (1 + 2 * len(tags)):
            raise ValueError("cut short")
        times = np.frombuffer(body[: 8 * n], "<i8")
        columns = np.frombuffer(body[8 * n :], "<f8").reshape(len(tags), 2, n)
        series = [Series(own, columns[place, 0], columns[place, 1]) for place, own in enumerate(tags)]
        return Frame(times, series, FrameMeta(*header["meta"])), int(header["until"])
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


class Shared:
    """Redis or Valkey at `url`. Where it is away or slow, queries go on without it."""

    #: Seconds that it may take to answer; after a failure, seconds without asking it.
    PATIENCE, PAUSE = 0.15, 5.0
    #: Answers that may be on their way to it; more are not kept.
    _WAITING = 32

    def __init__(self, url: str, identity: Callable[[], Awaitable[str]], *, timer: Callable[[], float] = time.monotonic) -> None:
        """`identity` answers a text that tells this database from others which use the same Redis."""
        self._identity, self._timer = identity, timer
        self._prefix: bytes | None = None
        self._where = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()
        self._redis = Redis.from_url(
            url,
            socket_timeout=self.PATIENCE,
            socket_connect_timeout=self.PATIENCE,
            retry=Retry(NoBackoff(), 1),
            decode_responses=False,
        )
        self._ask_again = float("-inf")
        self._away = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, keys: Sequence[bytes]) -> list[Frame | None]:
        nothing: list[Frame | None] = [None] * len(keys)
        names = await self._names(keys)
        if names is None:
            return nothing
        raws = cast("list[bytes | None] | None", await self._try(lambda: self._redis.mget(names)))
        return nothing if raws is None else [self._read(raw) for raw in raws]

    def _read(self, raw: bytes | None) -> Frame | None:
        if raw is None:
            return None
        try:
            frame, until_ms = unpack(raw)
        except ValueError as error:
            log.warning("the cache at %s holds what dashapp didn't write (%s)", self._where, error)
            return None
        return frame if time.time() * 1000 < until_ms else None

    def put(self, key: bytes, frame: Frame, read_at: float, seconds: float) -> None:
        if size_of(frame) > LARGEST or len(self._tasks) >= self._WAITING or self._timer() < self._ask_again:
            return
        task = asyncio.create_task(self._put(key, frame, read_at, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put(self, key: bytes, frame: Frame, read_at: float, seconds: float) -> None:
        names = await self._names([key])
        left_ms = int((read_at + seconds - self._timer()) * 1000)
        if names is None or left_ms <= 0:
            return
        # Twice: a Redis that hung would begin to count only once it has the answer, and clocks of hosts differ.
        raw = pack(frame, int(time.time() * 1000) + left_ms)
        await self._try(lambda: self._redis.set(names[0], raw, px=left_ms))

    async def _names(self, keys: Sequence[bytes]) -> list[bytes] | None:
        if self._timer() < self._ask_again:
            return None
        if self._prefix is None:
            try:
                self._prefix = hashlib.sha256((await self._identity()).encode()).digest()
            except DashappError:
                return None
        return [b"dashapp:" + hashlib.blake2b(self._prefix + key, digest_size=24).hexdigest().encode() for key in keys]

    async def _try(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(2 * self.PATIENCE):
                answer = await ask()
        except (RedisError, OSError, TimeoutError) as error:
            self._ask_again = self._timer() + self.PAUSE
            if not self._away:
                log.warning(
                    "the cache at %s doesn't answer (%s); queries go on without it", self._where, error or type(error).__name__
                )
            self._away = True
            return None
        if self._away:
            log.info("the cache at %s answers again", self._where)
            self._away = False
        return answer

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()


def open_store(cache_url: str, database: Database) -> Store:
    """The store that the settings name. Nothing is connected yet."""

    async def identity() -> str:
        async with database.connection() as connection:
            row = await (await connection.execute("SELECT created_at FROM storage")).fetchone()
        return f"{database.url} {row['created_at'] if row else ''}"

    return Shared(cache_url, identity) if cache_url else InProcess()
