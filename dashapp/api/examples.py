"""A body for each operation of the OpenAPI document that takes one, by its id. Tests send them all."""

from __future__ import annotations

from typing import Any

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
