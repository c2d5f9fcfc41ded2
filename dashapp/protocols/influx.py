"""InfluxDB line protocol, into columns: ``measurement,tag=a field=1i,other=2.5 1790000000000000000``.

Each numeric field is a metric ``measurement.field`` with the line's tags; booleans are 0 and 1, texts are skipped.
(https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from dashapp.errors import ValidationFailed
from dashapp.metrics.batches import Batch
from dashapp.metrics.memory import Memory
from dashapp.metrics.series import Key
from dashapp.protocols.sifting import LeftOut, Losses, Sieve, series_of

#: Milliseconds of a timestamp's unit, by what clients call it.
PRECISIONS = {
    **dict.fromkeys(("ns", "n"), Fraction(1, 1_000_000)), **dict.fromkeys(("us", "u", "µ"), Fraction(1, 1000)),
    "ms": Fraction(1), "s": Fraction(1000), "m": Fraction(60_000), "h": Fraction(3_600_000),
}  # fmt: skip

# A backslash keeps the next character from ending a part, and stays where that one needs no keeping.
_FIELD = r'((?:[^\\\n ,=]|\\.)++)=("(?:[^"\\]|\\[\s\S])*+"|[^\s,"]++)'
_ONE_FIELD = _FIELD.replace("(", "(?:").replace("(?:?:", "(?:")
_LINE = re.compile(rf"((?:[^\\\n ]|\\.)++) ++({_ONE_FIELD}(?:,{_ONE_FIELD})*+)(?: ++(-?[0-9]++))?[ \t\r]*+(?:\n|\Z)")
_BETWEEN = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_FIELDS = re.compile(_FIELD)
_MEASUREMENT = re.compile(r"(?:[^\\, ]|\\.)++")
_TAG = re.compile(r",((?:[^\\,= ]|\\.)++)=((?:[^\\,= ]|\\.)++)")
_ESCAPED = re.compile(r"\\([,= ])")
_NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_INTEGER = re.compile(r"-?[0-9]++[iu]")
_BOOLEANS = dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0) | dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0)

#: What a line's head and a field's name, as they were sent, are to dashapp: a series, or why they can't be one.
_known: Memory[tuple[str, str], Key | LeftOut] = Memory(20_000)


@dataclass(frozen=True)
class Received:
    """A request: samples to store, and what was left out of them already."""

    batch: Batch
    losses: Losses


def precision(name: str) -> Fraction:
    """Milliseconds of the unit that a request's timestamps are in.

    Raises:
        ValidationFailed: there is no such unit.
    """
    if name not in PRECISIONS:
        why = f"{name!r} is no precision; it is ns, us, ms or s"
        raise ValidationFailed(f"precision: {why}.", details={"precision": why})
    return PRECISIONS[name]


def read(raw: bytes, unit: Fraction, now_ms: int) -> Received:
    """The lines of a request, their timestamps in `unit` ms; a line without one gets `now_ms`."""
    text = raw.decode("utf-8", "surrogateescape")  # what is no text costs its own line only
    sieve = Sieve()
    at = _BETWEEN.match(text).end()  # type: ignore[union-attr]
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            sieve.losses.add("syntax", example=text[at : min(end, at + 100)].encode("utf-8", "replace").decode())
        else:
            end = line.end()
            head, fields, stamp = line.groups()
            time_ms = now_ms if stamp is None else _to_ms(stamp, unit)
            for name, value in _FIELDS.findall(fields):
                _take(head, name, value, time_ms, sieve)
        at = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]
    return Received(sieve.batch(), sieve.losses)


def _to_ms(stamp: str, unit: Fraction) -> int:
    # More digits than an int64 has lie far ahead, however many they are.
    return int(stamp[:20]) * unit.numerator // unit.denominator


def _take(head: str, field: str, written: str, time_ms: int, sieve: Sieve) -> None:
    if written[0] == '"':
        return
    value = _value(written)
    known = _known.get((head, field))
    if known is None:
        known = _learn(head, field)
        _known.put((head, field), known)
    if value is None:
        sieve.losses.add("syntax", example=f"{field}={written[:50]}")
    elif isinstance(known, LeftOut):
        sieve.losses.add(known.reason, example=known.what)
    else:
        sieve.add(sieve.place(known), time_ms, value)


def _value(written: str) -> float | None:
    if _NUMBER.fullmatch(written):
        return float(written)
    if _INTEGER.fullmatch(written):
        return float(written[:-1])
    return _BOOLEANS.get(written)


def _learn(head: str, field: str) -> Key | LeftOut:
    measurement = _MEASUREMENT.match(head)
    tags = head[measurement.end() :] if measurement else ""
    pairs = _TAG.findall(tags)
    if measurement is None or sum(len(key) + len(value) + 2 for key, value in pairs) != len(tags):
        return LeftOut("syntax", head.encode("utf-8", "replace").decode())
    name = f"{_plain(measurement[0])}.{_plain(field)}"
    try:
        return series_of(name, [(_plain(key), _plain(value)) for key, value in pairs])
    except LeftOut as left_out:
        return LeftOut(left_out.reason, left_out.what.encode("utf-8", "replace").decode())


def _plain(part: str) -> str:
    return _ESCAPED.sub(r"\1", part)
