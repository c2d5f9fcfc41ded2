"""Failed sign-ins, counted in the process: after a few, each further one has to wait longer."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from dashapp.errors import RateLimited

#: So many failures cost nothing but themselves; people mistype.
FREE_FAILURES = 5
#: Seconds: the longest wait, and the time after which failures are forgotten.
LONGEST_WAIT = 300
FORGET_AFTER = 900
#: Entries kept, the least recently used go first. Making one costs the sender an argon2 verification.
MOST_ENTRIES = 10_000


@dataclass
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


def network(address: str) -> str:
    """The address, or the /64 of an IPv6 one: whoever has one of these has them all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Throttle:
    """Counts failures per (account, address). An attempt counts when it begins, so that parallel guesses count too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, account: str, address: str) -> None:
        """Count an attempt that may fail.

        Raises:
            RateLimited: too many failed before; `retry_after` says when the next may begin.
        """
        now = self._clock()
        key = (account.lower(), network(address))
        entry = self._entries.setdefault(key, _Failures())
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)
        if now - entry.last > FORGET_AFTER:
            entry.count = 0
        if entry.blocked_until > now:
            wait = int(entry.blocked_until - now) + 1
            raise RateLimited(f"Too many failed sign-ins; try again in {wait} s.", retry_after=wait)
        entry.count, entry.last = entry.count + 1, now
        if entry.count >= FREE_FAILURES:
            entry.blocked_until = now + min(LONGEST_WAIT, 2.0 ** (entry.count - FREE_FAILURES + 1))

    def succeeded(self, account: str, address: str) -> None:
        self._entries.pop((account.lower(), network(address)), None)
