"""Sampling times, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dashapp.agent.ticks import next_tick, ticks


class Clock:
    """Wall and monotonic time; sleeping takes `lag` longer than asked, and `jumps` move the wall clock meanwhile."""

    def __init__(self, wall: float, lag: float = 0.0) -> None:
        self.wall, self.mono, self.lag = wall, 0.0, lag
        self.jumps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        slept = max(seconds + self.lag, 0.0002)
        self.mono += slept
        self.wall += slept + (self.jumps.pop(0) if self.jumps else 0.0)

    def ticks(self, interval_s: float, warm_up_s: float = 0.0) -> AsyncIterator[float]:
        return ticks(interval_s, warm_up_s, now=lambda: self.wall, monotonic=lambda: self.mono, sleep=self.sleep)


async def first(count: int, source: AsyncIterator[float]) -> list[float]:
    return [await anext(source) for _ in range(count)]


def test_the_next_tick_is_always_later() -> None:
    assert [next_tick(now, 10) for now in (0, 9.99, 10, 10.01)] == [10, 10, 20, 20]


async def test_multiples_without_drift() -> None:
    assert await first(4, Clock(1_003.2, lag=0.3).ticks(10)) == [1_010, 1_020, 1_030, 1_040]


async def test_warming_up_ticks_every_second() -> None:
    assert await first(6, Clock(1_006.5).ticks(10, warm_up_s=3)) == [1_007, 1_008, 1_009, 1_010, 1_020, 1_030]


async def test_a_timer_that_fires_early_does_not_tick_twice() -> None:
    assert await first(3, Clock(1_000.5, lag=-0.001).ticks(10)) == [1_010, 1_020, 1_030]


@pytest.mark.parametrize("away", [7.0, 8 * 3600.0])
async def test_a_suspended_laptop_makes_no_burst(away: float) -> None:
    clock = Clock(1_005)
    clock.jumps = [0, away]
    got = await first(3, clock.ticks(10))
    assert got[0] == 1_010
    assert got[1] == next_tick(1_020 + away, 10)
    assert got[2] == got[1] + 10


async def test_a_clock_set_back_goes_on_from_its_new_time() -> None:
    clock = Clock(1_005)
    clock.jumps = [0, -500]
    assert await first(3, clock.ticks(10)) == [1_010, 530, 540]


async def test_a_slow_sample_leaves_out_what_it_missed() -> None:
    clock = Clock(1_005)
    source = clock.ticks(10)
    assert await anext(source) == 1_010
    clock.wall += 33
    assert await anext(source) == 1_050
