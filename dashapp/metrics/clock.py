"""The process's clock in whole milliseconds, and bucket arithmetic on it. Tests hand in a clock of their own."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Unix milliseconds now.
Clock = Callable[[], int]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

#: From here back, minutes are history: answers may be kept, and a late point raises the metric's generation.
HISTORY_MS = 2 * MINUTE
#: What a cache takes for history ends so much earlier: ingest judges a point's age a while before it commits, and the
#: clocks of processes differ.
SLACK_MS = MINUTE
#: Points that are older mark single series of an hour instead of all series of a minute.
RECENT_MS = 10 * MINUTE
#: How far ahead of the clock a point may be.
AHEAD_MS = HOUR


def system_clock() -> int:
    return time.time_ns() // 1_000_000


def floor_to(ms: int, width: int) -> int:
    """The start of the bucket of `width` that holds `ms`, counted from the Unix epoch."""
    return ms - ms % width


def ceil_to(ms: int, width: int) -> int:
    """The first bucket start at or after `ms`."""
    return ms + -ms % width
