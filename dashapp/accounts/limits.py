"""How much one user or token may ask for, counted in the process, so that nobody takes the server from the others."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dashapp.errors import RateLimited

#: Who sent nothing for so long may send this many seconds' worth at once.
BURST_SECONDS = 5
#: Queries of one user that run at once, and that may wait for their turn.
QUERIES_AT_ONCE = 4
QUERIES_WAITING = 60
#: Users and tokens kept; the least recently seen go first, and come back with a full measure.
MOST_ENTRIES = 10_000


@dataclass
class _Turns:
    running: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_AT_ONCE))
    taken: int = 0


class Limits:
    """A bucket of requests for each user and token, refilled at `per_second`; 0 knows no limit."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = per_second, per_second * BURST_SECONDS, clock
        #: By whom: what was left, and when.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._turns: dict[Hashable, _Turns] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: Hashable) -> None:
        """Count a request.

        Raises:
            RateLimited: `who` sends more than the server takes from one; `retry_after` says when to go on.
        """
        if not self._rate:
            return
        now = self._clock()
        left, since = self._buckets.get(who, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        if left < 1:
            self._buckets[who] = (left, now)
            raise RateLimited(f"More than {self._rate:g} requests a second came from one user or token; slow down.", retry_after=1)
        self._buckets[who] = (left - 1, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > MOST_ENTRIES:
            self._buckets.popitem(last=False)

    @asynccontextmanager
    async def query(self, who: Hashable) -> AsyncIterator[None]:
        """Run a query of `who` when it is its turn.

        Raises:
            RateLimited: too many of them wait already.
        """
        turns = self._turns.setdefault(who, _Turns())
        if turns.taken >= QUERIES_AT_ONCE + QUERIES_WAITING:
            raise RateLimited("Too many of your queries wait already; send some later.", retry_after=1)
        turns.taken += 1
        try:
            async with turns.running:
                yield
        finally:
            turns.taken -= 1
            if not turns.taken:
                self._turns.pop(who, None)
