"""From counters that only grow to rates per second."""

from __future__ import annotations

from collections.abc import Hashable

#: Two readings closer than this say more about the clock's grain than about the host.
_SHORTEST_S = 0.05


class Rates:
    """Rates between two readings of a group of counters. Remembers only what the latest reading held."""

    def __init__(self) -> None:
        self._now: float | None = None
        self._before: dict[Hashable, float] = {}
        self._latest: dict[Hashable, float] = {}
        #: Seconds between the latest two readings, or None before there are two.
        self.elapsed: float | None = None

    def step(self, now: float) -> None:
        """A new reading begins, taken at `now` (seconds of a monotonic clock)."""
        self.elapsed = None if self._now is None or now - self._now < _SHORTEST_S else now - self._now
        self._now = now
        self._before, self._latest = self._latest, {}

    def rate(self, key: Hashable, count: float) -> float | None:
        """Growth of a counter per second.

        None at its first reading, and where it fell: it was reset somewhere in between, and counting its new value
        whole would draw a spike for drivers whose counters merely wobble.
        """
        self._latest[key] = count
        before = self._before.get(key)
        if before is None or self.elapsed is None or count < before:
            return None
        return (count - before) / self.elapsed
