"""Where answers are kept: bounded in the process, and in a real Redis that may be slow, away or full of other things."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from dashapp.contract.frames import Frame, FrameMeta, Series
from dashapp.metrics.stores import LARGEST, InProcess, Shared, pack, size_of, unpack
from tests import debian


def frame(n: int = 3, k: int = 1, *, value: float = 1.0) -> Frame:
    series = [Series({"host": str(place)}, np.full(n, value), np.ones(n)) for place in range(k)]
    return Frame(np.arange(n) * 1000, series, FrameMeta("metrics_raw", "raw", 1000, 0, n * 1000))


def same(one: Frame | None, other: Frame) -> bool:
    return (
        one is not None
        and one.meta == other.meta
        and np.array_equal(one.times, other.times)
        and len(one.series) == len(other.series)
        and all(
            a.tags == b.tags and np.array_equal(a.values, b.values, equal_nan=True) and np.array_equal(a.counts, b.counts)
            for a, b in zip(one.series, other.series, strict=True)
        )
    )


# -- in the process ----------------------------------------------------------------------------------------------------


class Timer:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_answer_is_kept_for_its_time_from_when_it_was_read() -> None:
    timer = Timer()
    store = InProcess(timer=timer)
    store.put(b"a", frame(), timer.now - 4, 10)
    timer.now += 5.9
    assert same((await store.get([b"a", b"b"]))[0], frame())
    timer.now += 0.1
    assert await store.get([b"a", b"b"]) == [None, None]
    assert store.bytes == 0
    store.put(b"a", frame(), timer.now - 10, 10)
    assert store.bytes == 0


async def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    timer = Timer()
    store = InProcess(timer=timer)
    store.put(b"a", frame(value=2.0), timer.now, 10)
    store.put(b"a", frame(value=1.0), timer.now - 1, 10)
    assert same((await store.get([b"a"]))[0], frame(value=2.0))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 400), st.integers(1, 3)), max_size=40))
def test_it_is_bounded_by_bytes_and_keeps_what_was_used_last(puts: list[tuple[int, int, int]]) -> None:
    async def play() -> None:
        store = InProcess(limit=20_000, timer=Timer())
        for key, n, k in puts:
            name = str(key).encode()
            store.put(name, frame(n, k), 1000.0, 10)
            assert store.bytes <= 20_000
            assert store.bytes == sum(size_of(kept.frame) + len(own) for own, kept in store._kept.items())
            if size_of(frame(n, k)) < 19_000:
                assert (await store.get([name]))[0] is not None
        await store.close()
        assert store.bytes == 0

    asyncio.run(play())


async def test_an_answer_that_is_too_large_is_not_kept() -> None:
    store = InProcess(timer=Timer())
    store.put(b"a", frame(LARGEST // 16), 1000.0, 10)
    assert await store.get([b"a"]) == [None]


# -- packing -----------------------------------------------------------------------------------------------------------

texts = st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=10), max_size=3)
numbers = st.floats(allow_infinity=False)


@given(st.integers(0, 20), st.lists(texts, max_size=4), st.data())
def test_a_frame_is_packed_without_loss(n: int, tags: list[dict[str, str]], data: st.DataObject) -> None:
    def column(values: st.SearchStrategy[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(data.draw(st.lists(values, min_size=n, max_size=n)), np.float64)

    times = np.array(data.draw(st.lists(st.integers(0, 2**62), min_size=n, max_size=n)), np.int64)
    lines = [Series(own, column(numbers), column(st.floats(0, 1e9))) for own in tags]
    made = Frame(times, lines, FrameMeta("a+b", "1m", 60_000, 1, 2, True))
    back, until = unpack(pack(made, 1_750_000_000_123))
    assert until == 1_750_000_000_123
    assert same(back, made)
    raw = pack(made, 1)
    for broken in (raw[:-1], raw[1:], raw + b"x", b"", b"\x01", b"\x01\x00\x00\x00\x02{}", b"\x01\x00\x00\x00\x02[]"):
        with pytest.raises(ValueError):
            unpack(broken)


# -- shared ------------------------------------------------------------------------------------------------------------


@contextmanager
def redis_server(port: int, directory: Path) -> Iterator[int]:
    command = [
        debian.program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--dir", str(directory),
    ]  # fmt: skip
    with debian.child(command, lambda: debian.answers(port)) as process:
        yield process.pid


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A real Redis: its URL and its process."""
    port = debian.free_port()
    with redis_server(port, tmp_path_factory.mktemp("redis")) as pid:
        yield f"redis://127.0.0.1:{port}/0", pid


def shared(url: str, identity: str = "this") -> Shared:
    async def own() -> str:
        return identity

    return Shared(url, own)


async def kept(store: Shared, key: bytes, seconds: float = 10.0) -> Frame:
    async with asyncio.timeout(seconds):
        while True:
            (found,) = await store.get([key])
            if found is not None:
                return found
            await asyncio.sleep(0.005)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_processes_share_answers_and_databases_do_not(server: tuple[str, int]) -> None:
    here, there, other = shared(server[0]), shared(server[0]), shared(server[0], "another")
    here.put(b"shared", frame(5, 2), time.monotonic(), 60)
    assert same(await kept(there, b"shared"), frame(5, 2))
    assert await there.get([b"nothing", b"shared", b""]) != [None, None, None]
    assert await other.get([b"shared"]) == [None]
    for store in (here, there, other):
        await store.close()


async def test_an_answer_ends_by_redis_clock_and_by_its_own(server: tuple[str, int]) -> None:
    store = shared(server[0])
    store.put(b"brief", frame(), time.monotonic() - 9.7, 10)
    store.put(b"late", frame(), time.monotonic() - 10, 10)
    await until(lambda: not store._tasks)
    assert await store.get([b"late"]) == [None]
    client = redis.Redis.from_url(server[0])
    names = await store._names([b"brief", b"old"])
    assert names
    assert client.pttl(names[0]) <= 300  # type: ignore[operator]
    # Written too late by a Redis that hung.
    client.set(names[1], pack(frame(), int(time.time() * 1000) - 1), px=10_000)
    assert await store.get([b"old"]) == [None]
    client.close()
    await store.close()


async def test_what_dashapp_did_not_write_is_a_miss(server: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    store = shared(server[0])
    names = await store._names([b"foreign"])
    assert names
    client = redis.Redis.from_url(server[0])
    client.set(names[0], b"something else")
    assert await store.get([b"foreign"]) == [None]
    client.delete(names[0])
    client.lpush(names[0], b"a list")
    assert await store.get([b"foreign"]) == [None]
    client.close()
    await store.close()


async def test_a_hung_redis_is_a_quick_miss_and_comes_back(server: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = shared(server[0])
    store.put(b"a", frame(), time.monotonic(), 60)
    await kept(store, b"a")
    os.kill(server[1], signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert await store.get([b"a"]) == [None]
        assert time.monotonic() - began < 5 * Shared.PATIENCE
        began = time.monotonic()
        for _ in range(100):  # it isn't asked again for a while
            assert await store.get([b"a"]) == [None]
            store.put(b"b", frame(), time.monotonic(), 60)
        assert time.monotonic() - began < Shared.PATIENCE
    finally:
        os.kill(server[1], signal.SIGCONT)
    assert caplog.text.count("doesn't answer") == 1
    store._ask_again = 0.0
    assert same(await kept(store, b"a"), frame())
    assert caplog.text.count("answers again") == 1
    await store.close()


async def test_a_redis_that_is_away_or_restarts_costs_misses_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = debian.free_port()
    store = shared(f"redis://someone:secret@127.0.0.1:{port}/0")
    assert await store.get([b"a"]) == [None]
    assert "secret" not in caplog.text
    await store.close()
    store = shared(f"redis://127.0.0.1:{port}/0")
    for _ in range(2):
        with redis_server(port, tmp_path):
            store._ask_again = 0.0
            store.put(b"a", frame(), time.monotonic(), 60)
            await until(lambda: not store._tasks)
            assert same(await kept(store, b"a"), frame())
        assert await store.get([b"a"]) == [None]
    await store.close()
