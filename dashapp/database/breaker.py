"""The circuit breaker around the database: while it is away, whoever asks is told so at once instead of waiting.

Three failures in a row to connect, or connections lost, open it. Two seconds later one request may try; if that works
it closes, else it stays open for another two. A statement that runs too long is mostly the fault of who asked; only
where eight in a row do, and nothing else works in between, is it the database's.
"""

from __future__ import annotations

import logging

from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, Context, OpenedState

from dashapp.errors import Unavailable

log = logging.getLogger(__name__)

_FAILURES, _TIMEOUTS = 3, 8
#: Seconds until the next try.
PAUSE_SECONDS = 2


class Breaker:
    """One a pool. `enter` before each use, then tell how it went, and `leave`."""

    def __init__(self) -> None:
        self._away = Context("database", _FAILURES, PAUSE_SECONDS)
        self._slow = Context("statements", _TIMEOUTS, PAUSE_SECONDS)
        #: Whether the one request that tries is under way.
        self._trying = False

    def enter(self) -> bool:
        """True for the one that tries.

        Raises:
            Unavailable: it is open.
        """
        try:
            for circuit in (self._away, self._slow):
                circuit.handle_new_request()
        except OpenedState:
            raise Unavailable() from None
        if HALF_OPENED not in (self._away.state, self._slow.state):
            return False
        if self._trying:
            raise Unavailable()
        self._trying = True
        return True

    def leave(self, tried: bool) -> None:
        if tried:
            self._trying = False

    def answered(self) -> None:
        """The database did what it was asked, or said why not."""
        was_open = HALF_OPENED in (self._away.state, self._slow.state)
        for circuit in (self._away, self._slow):
            circuit.handle_end_request()
            circuit.messages.clear()
        if was_open:
            log.info("the database answers again")

    def gone(self) -> None:
        """It couldn't be reached, or went away."""
        self._fail(self._away)

    def slow(self) -> None:
        """A statement took too long."""
        self._fail(self._slow)

    def _fail(self, circuit: Context) -> None:
        before = circuit.state
        circuit.handle_exception(Unavailable())
        circuit.messages.clear()
        if circuit.state == OPENED and before == CLOSED:
            log.warning("the database doesn't answer; requests are told so at once, and every %d s one tries", PAUSE_SECONDS)
