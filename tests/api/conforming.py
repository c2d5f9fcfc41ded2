"""Hooks of Schemathesis: what a body or a query has to hold beyond what JSON Schema can say.

Schemathesis makes what the OpenAPI document allows and expects it to be accepted. Where a rule counts, compares or reads,
and so can't be written into a schema, what was made is put right here, as little as can be; what is made to be wrong stays.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import schemathesis

from tests.protocols.sender import message, packed

_TARGETS = {"email": "ada@example.org", "webhook": "https://example.org/hook", "apprise": "json://example.org"}


@schemathesis.serializer("application/x-protobuf")
def _as_bytes(_context: Any, body: str) -> bytes:
    return str(body).encode("latin-1", "replace")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.path == "/write":
        # Protobuf in snappy: a schema says no more of bytes than that they are some.
        case.body = packed(message(({"__name__": "up", "job": "test"}, [(time.time_ns() // 1_000_000, 1.0)]))).decode("latin-1")
    elif case.path == "/influx/write":
        # The grammar of lines.
        case.body = "room,room=hall temperature=19.5"
    elif isinstance(case.body, dict | list):
        case.body = _mended(case.body)
    if case.path == "/panels/{panel_id}" and isinstance(case.body, dict):
        # Whether a panel asks for a metric is judged with what is stored of it.
        case.body = {**case.body, "query": "room.temperature"}
    if case.query:
        _times(case.query)


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if not isinstance(value, dict):
        return value
    mended = {name: _mended(one) for name, one in value.items()}
    for mend in (_sums, _times, _durations, _ends, _target, _names, _sent, _defaults, _references):
        mend(mended)
    return mended


def _sums(body: dict[str, Any]) -> None:
    """A panel ends where the grid does: a schema doesn't add."""
    x, w = body.get("x", 0), body.get("w", 6)
    if {"x", "w"} & body.keys() and isinstance(x, int | float) and isinstance(w, int | float):
        body["x"] = min(x, 12 - w)


def _times(body: dict[str, Any]) -> None:
    """The first is before the last, and the day is one of its month: a schema doesn't compare, and knows no calendar."""
    for first, last in (("start", "end"), ("startsAt", "endsAt"), ("from", "to")):
        said = [body[name] for name in (first, last) if isinstance(body.get(name), str)]
        if any(not one.startswith("now") for one in said):
            body[first], body[last] = "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"


def _durations(body: dict[str, Any]) -> None:
    """No more than a number in a text may say: a pattern doesn't read it."""
    for name in ("step", "duration"):
        if isinstance(body.get(name), str) and not re.fullmatch(r"\s*0*[1-9]\s*[smh]\s*", body[name]):
            body[name] = "5 minutes"


def _ends(body: dict[str, Any]) -> None:
    """An axis' lower end is below the upper: a schema doesn't compare."""
    if isinstance(body.get("min"), int | float) and isinstance(body.get("max"), int | float):
        body["min"], body["max"] = 0, 1


def _target(body: dict[str, Any]) -> None:
    """An address' length, and what makes a URL."""
    if body.get("type") in _TARGETS and isinstance(body.get("target"), str):
        body["target"] = _TARGETS[body["type"]]


def _names(body: dict[str, Any]) -> None:
    """Ids and names that are told apart: a schema knows only wholly equal items."""
    for listed, name in (("queries", "id"), ("variables", "name")):
        for index, one in enumerate(body.get(listed) or []):
            if isinstance(one, dict) and name in one:
                one[name] = f"{one[name][:40]}{index}"


def _sent(body: dict[str, Any]) -> None:
    """A point is neither of the future nor older than what is kept: a schema has no clock."""
    if isinstance(body.get("timestamp"), int | float):
        body["timestamp"] = int(datetime.now(UTC).timestamp() * 1000)


def _defaults(body: dict[str, Any]) -> None:
    """What is chosen first is among what there is to choose, and not several where one is chosen: a schema doesn't compare."""
    if {"values", "default"} <= body.keys() and body["default"]:
        body["default"] = (body["values"] or body["default"])[:1]


def _references(body: dict[str, Any]) -> None:
    """What is referred to has to be there, which no schema knows."""
    body.pop("ruleId", None)
    if body.get("layout"):
        body["layout"] = []
