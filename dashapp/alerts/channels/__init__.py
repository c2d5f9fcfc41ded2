"""Ways to tell people: each takes a `dashapp.alerts.message.Message` and returns when it is delivered."""

from __future__ import annotations


class DeliveryFailed(Exception):
    """It wasn't delivered. ``str(error)`` is one sentence, without secrets."""

    def __init__(self, message: str, *, maybe_sent: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(message)
        #: Whether it may have arrived all the same: the answer is what is missing.
        self.maybe_sent = maybe_sent
        #: Seconds that the receiver asks to be left alone.
        self.retry_after = retry_after
