"""Who was just found to have proved who they are, so that not every request of a program or page asks the database.

An answer is used for a second at most. So what is taken from somebody is gone from every process within a second, even
where no notices come; with them at once, and in the process that takes it before the change is answered.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

#: The channel of notices that somebody may have lost something: a session, a token, a role, an account.
CHANNEL = "accounts"
SECONDS = 1.0
_MOST = 10_000

T = TypeVar("T")


class Recent(Generic[T]):
    """What was found for a secret's hash; never that nothing was."""

    def __init__(self, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        #: By hash: what was found, and until when that may be used.
        self._found: dict[bytes, tuple[T, float]] = {}
        self._epoch = 0

    async def of(self, key: bytes, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """What stands for `key`, else what `ask` finds."""
        now = self._timer()
        found, until = self._found.get(key, (None, 0.0))
        if found is not None and now < until:
            return found
        epoch = self._epoch
        fresh = await ask()
        # What was taken while it was asked for may be in the answer still.
        if fresh is not None and epoch == self._epoch:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[key] = (fresh, now + SECONDS)
        return fresh

    def forget(self) -> None:
        """Somebody may have lost something."""
        self._found.clear()
        self._epoch += 1
