"""When to sample: on the multiples of an interval since the Unix epoch, whatever happens to the clocks."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable

#: Between samples while warming up.
WARM_UP_INTERVAL_S = 1.0


def next_tick(now: float, interval_s: float) -> float:
    """The first multiple of the interval after `now`, both in Unix seconds."""
    return (math.floor(now / interval_s) + 1) * interval_s


async def ticks(
    interval_s: float,
    warm_up_s: float = 0.0,
    *,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncIterator[float]:
    """Unix seconds of each tick, as it comes; every second for the first `warm_up_s`.

    Each tick follows from the clock and not from the tick before, so nothing drifts. One that is missed by more
    than half an interval (the laptop slept, a sample took long) is left out, never made up for; after the clock was
    set back, ticks go on from its new time.
    """
    started = monotonic()
    while True:
        interval = min(WARM_UP_INTERVAL_S, interval_s) if monotonic() - started < warm_up_s else interval_s
        tick = next_tick(now(), interval)
        while 0 < (wait := tick - now()) <= interval:
            await sleep(wait)
        if -interval / 2 <= wait <= 0:
            yield tick
