"""Time ranges: ``now-6h`` and ISO 8601 in links, half-open ``[start, end)`` in UTC milliseconds inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dashapp.contract.durations import format_ms, parse_ms
from dashapp.errors import ValidationFailed

_RELATIVE = re.compile(r"^now(?:-(\w+))?$")
EARLIEST_MS = 0
LATEST_MS = 4_102_444_800_000  # 2100-01-01

#: The ranges that the picker offers: text in the link and its name.
PICKER_RANGES = (
    ("now-15m", "Last 15 minutes"),
    ("now-1h", "Last 1 hour"),
    ("now-6h", "Last 6 hours"),
    ("now-24h", "Last 24 hours"),
    ("now-7d", "Last 7 days"),
    ("now-30d", "Last 30 days"),
)
PICKER_REFRESH = (("off", "Off"), ("1s", "1s"), ("10s", "10s"), ("1m", "1m"))


def to_ms(moment: datetime) -> int:
    """Unix milliseconds of an aware datetime; a naive one is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Integer arithmetic: the float of timestamp() loses the last digit for some moments.
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds) // 1000


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of Unix milliseconds."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC).replace(microsecond=ms % 1000 * 1000)


def _moment_ms(text: str, now_ms: int) -> int:
    relative = _RELATIVE.match(text.strip())
    try:
        if relative:
            return now_ms - (parse_ms(relative[1]) if relative[1] else 0)
        ms = to_ms(datetime.fromisoformat(text.strip()))
    except ValueError:
        raise ValidationFailed(f"{text!r} is no time; write now, now-6h or an ISO time such as 2026-11-01T00:00.") from None
    if not EARLIEST_MS <= ms <= LATEST_MS:
        raise ValidationFailed(f"{text!r} is out of bounds; times run from 1970 to 2100.")
    return ms


@dataclass(frozen=True)
class TimeRange:
    """What a page or a snapshot shows, as it stands in the link."""

    start: str = "now-1h"
    end: str = "now"

    @property
    def live(self) -> bool:
        """True where the range slides with the clock."""
        return self.end.strip() == "now"

    def resolve(self, now_ms: int) -> tuple[int, int]:
        """(start, end) in Unix ms.

        Raises:
            ValidationFailed: a side can't be read, or start isn't before end.
        """
        start, end = _moment_ms(self.start, now_ms), _moment_ms(self.end, now_ms)
        if start >= end:
            raise ValidationFailed(f"the range from {self.start!r} to {self.end!r} is empty; from must be before to.")
        return start, end

    def label(self) -> str:
        for text, name in PICKER_RANGES:
            if (self.start, self.end) == (text, "now"):
                return name
        relative = _RELATIVE.match(self.start)
        if relative and relative[1] and self.live:
            return f"Last {format_ms(parse_ms(relative[1]))}"
        return f"{self.start} to {self.end}"
