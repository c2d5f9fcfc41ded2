"""Time ranges: ``now-6h`` and ISO 8601 in links, half-open ``[start, end)`` in UTC milliseconds inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from dashapp.contract.durations import format_ms, parse_ms
from dashapp.errors import ValidationFailed

_RELATIVE = re.compile(r"^now(?:-(\w+))?$")
EARLIEST_MS = 0
LATEST_MS = 4_102_444_800_000  # 2100-01-01
_DAY = r"^(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?"
_OFFSET = r"(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)"
#: ISO 8601 as far as it is understood.
_WITH_OFFSET = f"{_DAY}{_CLOCK}{_OFFSET}$"
_ANY_FORM = f"{_DAY}({_CLOCK}{_OFFSET}?)?$"

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


def _bounded(ms: int, said: object) -> int:
    if not EARLIEST_MS <= ms <= LATEST_MS:
        raise ValueError(f"{str(said)!r} is out of bounds; times run from 1970 to 2100")
    return ms


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time; write ISO 8601, such as 2026-11-01T00:00:00Z") from None


def _moment(value: object) -> datetime:
    if not isinstance(value, str | datetime):
        raise ValueError("a time is text in ISO 8601, such as 2026-11-01T00:00:00Z")
    if isinstance(value, str) and not re.match(_ANY_FORM, value):
        raise ValueError(f"{value!r} is no time; write ISO 8601 between 1970 and 2100, such as 2026-11-01T00:00:00Z")
    found = _parsed(value) if isinstance(value, str) else value
    if found.tzinfo is None:
        raise ValueError(f"{str(value)!r} names no offset from UTC; write it, such as 2026-11-01T00:00:00Z")
    _bounded(to_ms(found), value)
    return found


def _schema(pattern: str) -> dict[str, object]:
    return {"type": "string", "pattern": pattern, "examples": ["2026-11-01T00:00:00Z"]}


def _in_utc(value: object) -> object:
    found = _parsed(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found


#: A time that a client says, between 1970 and 2100: ISO 8601 text with its offset on the wire, and never a number, of which
#: nobody knows whether it counts seconds or milliseconds. An aware datetime in Python.
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(_schema(_WITH_OFFSET))]
#: The same, UTC where it names no offset.
MomentUtc = Annotated[Moment, BeforeValidator(_in_utc), WithJsonSchema(_schema(_ANY_FORM))]


def _moment_ms(text: str, now_ms: int) -> int:
    relative = _RELATIVE.match(text.strip())
    try:
        ms = now_ms - (parse_ms(relative[1]) if relative[1] else 0) if relative else to_ms(_parsed(text))
    except ValueError:
        raise ValidationFailed(f"{text!r} is no time; write now, now-6h or an ISO time such as 2026-11-01T00:00.") from None
    try:
        return _bounded(ms, text)
    except ValueError as error:
        raise ValidationFailed(f"{error}.") from None


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
