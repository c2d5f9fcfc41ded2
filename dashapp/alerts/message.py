"""What is told of an event, whatever the channel."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from dashapp.contract.alerts import Reason, Severity, Status

_REASONS: dict[Reason, str] = {
    "nodata": "no data came any more",
    "gone": "its series is gone",
    "changed": "the rule was changed",
    "disabled": "the rule was disabled",
    "deleted": "the rule was deleted",
}


@dataclass(frozen=True)
class Message:
    """One event for one channel."""

    #: Stable: sent twice, it is the same.
    id: UUID
    rule_id: UUID
    rule_name: str
    severity: Severity
    #: The condition in words.
    summary: str
    incident: UUID
    status: Status
    triggered_at: datetime
    resolved_at: datetime | None = None
    reason: Reason | None = None
    value: float | None = None
    tags: dict[str, str] = field(default_factory=dict)
    #: dashapp's own address, without a slash at the end.
    base_url: str = ""
    test: bool = False

    @property
    def where(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in sorted(self.tags.items()))

    @property
    def title(self) -> str:
        """One line: ``[firing] CPU high (host=a)``."""
        where = f" ({self.where})" if self.tags else ""
        test = "[test] " if self.test else ""
        return " ".join(f"{test}[{self.status}] {self.rule_name}{where}".split())

    @property
    def text(self) -> str:
        """A few sentences."""
        value = "" if self.value is None else f" The value is {self.value:g}."
        if self.test:
            return f"This is a test of the rule {self.rule_name!r}: {self.summary}.{value}"
        if self.status == "firing":
            return f"{self.summary}.{value} It fires since {moment(self.triggered_at)}."
        why = f": {_REASONS[self.reason]}" if self.reason else ""
        end = self.resolved_at or self.triggered_at
        return f"{self.summary}.{value} It is resolved since {moment(end)}{why}, after {lasted(end - self.triggered_at)}."

    @property
    def link(self) -> str:
        """The rule's page at the time that this is about."""
        end = (self.resolved_at or self.triggered_at) + timedelta(minutes=15)
        around = {"from": stamp(self.triggered_at - timedelta(hours=1)), "to": stamp(end)}
        return f"{self.base_url}/alerts/{self.rule_id}?{urlencode(around)}"

    @property
    def labels(self) -> dict[str, str]:
        return self.tags | {"alertname": self.rule_name, "severity": self.severity, "rule_id": str(self.rule_id)}

    @property
    def fingerprint(self) -> str:
        """The same for an instance, whatever its rule is called."""
        text = f"{self.rule_id}:{json.dumps(self.tags, sort_keys=True)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def lasted(span: timedelta) -> str:
    """``42 minutes``, ``2 hours 5 minutes``."""
    seconds = int(span.total_seconds())
    parts = [(seconds // 86400, "day"), (seconds // 3600 % 24, "hour"), (seconds // 60 % 60, "minute"), (seconds % 60, "second")]
    told = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return " ".join(told[:2]) or "0 seconds"
