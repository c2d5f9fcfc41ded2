"""Examples of the OpenAPI document, by operation: a body for each that takes one, and an answer for each that gives JSON.

Tests send all bodies. The answers to them are recorded (``python -m tests.recorded`` writes them into answers.json), but for
those that tell of a past, which a database just made doesn't have.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import orjson

from dashapp.errors import (
    Conflict,
    DashappError,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    Unavailable,
    ValidationFailed,
)

_PANEL = {
    "title": "Temperature", "type": "line", "query": "room.temperature",
    "options": {"unit": "short", "groupBy": ["room"], "alias": "{room}", "thresholds": {"warning": 28, "critical": 35}},
    "position": {"x": 0, "y": 0, "w": 6, "h": 4},
}  # fmt: skip
_RANGE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}

_RULE = {
    "name": "Too warm", "query": "room.temperature", "aggregation": "max", "groupBy": ["room"], "condition": "gt", "threshold": 28,
    "duration": "5 minutes", "severity": "warning", "notification": {"type": "email", "target": "ada@example.org"},
}  # fmt: skip

BODIES: dict[str, Any] = {
    "login": {"email": "ada@example.org", "password": "correct horse battery"},
    "changePassword": {"current": "correct horse battery", "new": "staple of another kind"},
    "createToken": {"name": "ci", "scope": "ingest", "expiresInDays": 90},
    "createUser": {"email": "grace@example.org", "role": "editor"},
    "updateUser": {"role": "editor"},
    "sendPoints": [
        {"name": "room.temperature", "value": 21.5, "tags": {"room": "kitchen"}},
        {"name": "room.temperature", "value": 19.0, "tags": {"room": "hall"}},
    ],
    "describeMetric": {"type": "gauge", "unit": "celsius", "description": "Air temperature at the height of a table."},
    "query": {"query": "room.temperature", "step": "1h", "tags": {"room": "hall"}, **_RANGE},
    "queryBatch": {"queries": [{"id": "rooms", "query": "room.temperature", "groupBy": ["room"], "aggregation": "max", **_RANGE}]},
    "createDashboard": {"name": "Home", "description": "Every room.", "isPublic": True, "panels": [_PANEL]},
    "updateDashboard": {"name": "Our home", "isPublic": False},
    "addPanel": _PANEL,
    "createReport": {
        "schedule": {"every": "week", "weekday": "mon", "at": "08:00", "zone": "Europe/Berlin"},
        "start": "now-7d",
        "variables": {"room": ["kitchen"]},
        "emails": ["ada@example.org"],
    },
    "updateReport": {"schedule": {"every": "month", "day": 1}, "start": "now-30d", "emails": ["ada@example.org"], "keep": 12},
    "createRule": _RULE,
    "backtestRule": {"rule": _RULE, **_RANGE},
    "updateRule": {"threshold": 30, "enabled": False},
    "pauseRule": {"until": "2036-01-01T00:00:00Z"},
    "createSilence": {"tags": {"room": "kitchen"}, "endsAt": "2036-01-01T00:00:00Z", "reason": "The oven is on."},
    "updatePanel": {"title": "Temperature indoors", "position": {"x": 6, "y": 0, "w": 6, "h": 4}},
}

_NOON, _ID = "2026-11-01T12:00:00Z", "00000000-0000-4000-8000-{:012}".format
_META = {
    "table": "metrics_1hour", "resolution": "1h", "step": "1h", "cached": False, "coveredStart": 1793491200000,
    "coveredEnd": 1793577600000, "partial": False,
}  # fmt: skip
_EVENT = {
    "id": _ID(1), "ruleId": _ID(2), "ruleName": "Too warm", "severity": "warning", "incident": _ID(3), "status": "firing",
    "reason": None, "value": 29.5, "tags": {"room": "kitchen"}, "triggeredAt": _NOON, "resolvedAt": None,
    "deliveries": [{
        "id": _ID(4), "type": "email", "target": "ada@example.org", "state": "sent", "attempts": 1, "nextAttemptAt": None,
        "sentAt": _NOON, "error": None,
    }],
}  # fmt: skip
_EVENTS = {"data": [_EVENT], "meta": {"total": 1, "page": 1, "pageSize": 50}}
_TOLD: dict[str, Any] = {
    "query": {"data": {
        "data": [{"time": "2026-11-01T00:00:00Z", "value": 19.0}, {"time": "2026-11-01T01:00:00Z", "value": 19.25}], "meta": _META,
    }},
    "queryBatch": {"data": {
        "rooms": {
            "times": [1793491200000, 1793494800000],
            "series": [
                {"tags": {"room": "hall"}, "values": [19.0, 19.25]}, {"tags": {"room": "kitchen"}, "values": [21.5, None]},
            ],
            "meta": _META,
        },
    }},
    "backtestRule": {"data": {
        "start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z", "judgedFrom": "2026-11-01T00:00:00Z", "fired": 1,
        "firingSeconds": 600.0, "summary": "fired once in 1 day, 10 minutes in total",
        "periods": [{
            "tags": {"room": "kitchen"}, "state": "firing", "start": _NOON, "end": "2026-11-01T12:10:00Z", "value": 29.5,
            "reason": None,
        }],
        "truncated": False, "times": [1793491200000, 1793494800000],
        "series": [{"tags": {"room": "kitchen"}, "values": [21.5, 29.5]}], "step": "1h", "threshold": 28.0,
    }},
    "evaluateRule": {"data": {
        "state": "firing", "firing": True, "value": 29.5,
        "instances": [{"tags": {"room": "kitchen"}, "state": "firing", "value": 29.5}], "error": None,
    }},
    "history": _EVENTS,
    "ruleHistory": _EVENTS,
}  # fmt: skip


@cache
def answers() -> dict[str, Any]:
    """The answer of each operation that gives JSON."""
    recorded: dict[str, Any] = orjson.loads(resources.files("dashapp.api").joinpath("answers.json").read_bytes())
    return recorded | _TOLD


#: What is told with each status of a failure.
FAILURES: dict[str, DashappError] = {
    "400": ValidationFailed(
        "step: 'fortnight' is not a duration; write a number and a unit, such as 30s, 5m, 1h or 7d.",
        details={"step": "'fortnight' is not a duration; write a number and a unit, such as 30s, 5m, 1h or 7d"},
    ),
    "401": Unauthorized(),
    "403": Forbidden(),
    "404": NotFound(),
    "409": Conflict(),
    "413": PayloadTooLarge("The body is larger than 5 MiB; send it in parts."),
    "429": RateLimited(),
    "503": Unavailable(),
}
