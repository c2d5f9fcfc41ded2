from __future__ import annotations

import asyncio

import pytest

from dashapp.accounts import limits
from dashapp.accounts.limits import BURST_SECONDS, QUERIES_AT_ONCE, QUERIES_WAITING, Limits
from dashapp.errors import RateLimited


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_steady_rate_goes_on_for_ever_and_more_is_refused() -> None:
    clock = Clock()
    bucket = Limits(100, clock)
    for _ in range(10_000):
        clock.now += 0.01
        bucket.take("steady")
    refused = 0
    for _ in range(10_000):
        clock.now += 0.005
        try:
            bucket.take("twice as fast")
        except RateLimited:
            refused += 1
    assert abs(refused - (5_000 - 100 * BURST_SECONDS)) < 10


def test_each_has_their_own() -> None:
    bucket = Limits(1, Clock())
    for _ in range(BURST_SECONDS):
        bucket.take("a")
    with pytest.raises(RateLimited) as caught:
        bucket.take("a")
    assert caught.value.retry_after == 1
    bucket.take("b")


def test_zero_is_no_limit() -> None:
    bucket = Limits(0, Clock())
    for _ in range(1000):
        bucket.take("a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_ENTRIES", 10)
    bucket = Limits(1, Clock())
    for number in range(100):
        bucket.take(number)
    assert len(bucket) == 10


async def test_queries_take_turns_and_too_many_are_refused() -> None:
    bucket, gate, running, most = Limits(1), asyncio.Event(), 0, 0

    async def one() -> None:
        nonlocal running, most
        async with bucket.query("a"):
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1

    tasks = [asyncio.create_task(one()) for _ in range(QUERIES_AT_ONCE + QUERIES_WAITING + 5)]
    await asyncio.sleep(0)
    async with bucket.query("b"):  # others don't notice
        gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 5
    assert most == QUERIES_AT_ONCE
    assert not bucket._turns
