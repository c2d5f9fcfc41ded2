"""Durations and steps as people write them: ``30s``, ``5m``, ``1h``, ``7d``, ``5 minutes``, ``forever``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_WORDS = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "day": "d", "week": "w"}
_DURATION = re.compile(r"^\s*0*([1-9]\d{0,8})\s*([a-z]+)\s*$")
#: The same as a pattern for JSON Schema, but for the longest; of milliseconds only whole seconds.
WHOLE_SECONDS = r"^\s*0*[1-9]\d{0,8}\s*([smhdw]|(sec|second|min|minute|hour|day|week)s?)\s*$|^\s*0*[1-9]\d{0,5}000\s*ms\s*$"
_MS = timedelta(milliseconds=1)
_LONGEST_MS = 100 * 366 * UNITS_MS["d"]


def parse_ms(text: str) -> int:
    """Milliseconds of a duration such as ``30s`` or ``5 minutes``.

    Raises:
        ValueError: the text isn't a whole number and a unit, or is zero or longer than a century.
    """
    match = _DURATION.match(text.lower())
    unit = match[2] if match else ""
    unit = _WORDS.get(unit.removesuffix("s"), unit) if len(unit) > 2 else unit
    if match is None or unit not in UNITS_MS:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 30s, 5m, 1h or 7d")
    ms = int(match[1]) * UNITS_MS[unit]
    if not 0 < ms <= _LONGEST_MS:
        raise ValueError(f"{text!r} must be longer than nothing and shorter than a century")
    return ms


def format_ms(ms: int) -> str:
    """The shortest form of a duration: 60000 is ``1m``."""
    for unit in ("d", "h", "m", "s"):
        if ms >= UNITS_MS[unit] and ms % UNITS_MS[unit] == 0:
            return f"{ms // UNITS_MS[unit]}{unit}"
    return f"{ms}ms"


def humanize_ms(ms: float) -> str:
    """A rough age for people: ``3 h``, ``12 min``, ``5 s``."""
    for unit, name in (("d", "d"), ("h", "h"), ("m", "min"), ("s", "s")):
        if ms >= UNITS_MS[unit]:
            return f"{int(ms // UNITS_MS[unit])} {name}"
    return "0 s"


def text_of(value: object, such_as: str) -> str:
    """What a client writes as a duration. A number is none: nobody knows of what.

    Raises:
        ValueError: it is no text; `such_as` says what would be right.
    """
    if not isinstance(value, str):
        raise ValueError(f"a duration is text such as {such_as}")
    return value


def _step(value: object) -> int:
    if isinstance(value, timedelta):
        return value // _MS
    ms = parse_ms(text_of(value, "30s, 5m or 1h"))
    if ms < 1000 or ms % 1000 or ms > UNITS_MS["d"] * 366:
        raise ValueError(f"{value!r} is no step; take whole seconds from 1s to 366d")
    return ms


_STEP_SCHEMA = {"type": "string", "pattern": WHOLE_SECONDS, "examples": ["30s", "5m", "1h"]}

#: A bucket width: text such as ``30s`` on the wire, whole milliseconds in Python, made of a timedelta there.
Step = Annotated[int, BeforeValidator(_step), PlainSerializer(format_ms, return_type=str), WithJsonSchema(_STEP_SCHEMA)]


def _span(value: object) -> object:
    if isinstance(value, str):
        if value.strip().lower() == "forever":
            return None
        return timedelta(milliseconds=parse_ms(value))
    return value


#: A retention time: ``7d``, or ``forever`` (None in Python).
Retention = Annotated[timedelta | None, BeforeValidator(_span)]
#: A plain span of time such as ``10s``.
Span = Annotated[timedelta, BeforeValidator(_span)]
