"""A list of alerts: what fires and what is about to. It asks for no samples; a board hands it what stands now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import param

from dashapp.contract.alerts import ActiveAlert, ActiveState, AlertOrder, Severity
from dashapp.contract.frames import Frame
from dashapp.panels.base import Panel
from dashapp.panels.lines import Line
from dashapp.panels.units import written

#: Rows of a panel that has no `limit`.
MOST_ROWS = 100


class AlertsPanel(Panel):
    kind = "alerts"
    label, about = "Alerts", "What fires and what is about to, with links to the rules."
    sketch = "M4 6h3M11 6h33M4 14h3M11 14h26M4 22h3M11 22h30"
    asks = False
    options = ("alert_states", "severities", "matching", "tags", "limit", "alert_order")
    size = (6, 4)

    alert_states = param.ListSelector(
        default=["firing", "pending"], objects=list(get_args(ActiveState)), doc="Only alerts in one of these states."
    )
    severities = param.ListSelector(
        default=["critical", "warning", "info"], objects=list(get_args(Severity)), doc="Only alerts of one of these severities."
    )
    matching = param.String(default="", doc="Only alerts with these words in the rule's name, its metric or its tags.")
    alert_order = param.Selector(default="urgency", objects=list(get_args(AlertOrder)), doc="What stands first.")

    def _build(self) -> None:
        return None

    def update(self, frames: Sequence[Frame], start_ms: int, end_ms: int, *, live: bool = True) -> None:
        """Frames say nothing here; see `tell`."""

    def tell(self, alerts: Sequence[ActiveAlert] | None) -> None:
        """Show those of `alerts` that the parameters ask for; None where the reader may not know of any.

        Args:
            alerts: the most urgent first.
        """
        if alerts is None:
            self._say_nothing("alerts are listed on the dashboard's own page, for readers with an account")
            return
        shown = sorted((alert for alert in alerts if self._wants(alert)), key=_ORDERS[self.alert_order])
        if not shown:
            self._say_nothing(f"no alert is {' or '.join(_WORDS[state] for state in self.alert_states) or 'asked for'} here")
            return
        most = self.limit or MOST_ROWS
        rows = [_row(alert) for alert in shown[:most]]
        notes = [f"{len(shown) - most} more"] if len(shown) > most else []
        self.card.update(state="live", message="", since=None, notes=notes, alerts=rows)

    def _wants(self, alert: ActiveAlert) -> bool:
        if alert.state not in self.alert_states or alert.severity not in self.severities:
            return False
        for key, value in self.tags.items():
            if alert.tags.get(key) not in ([value] if isinstance(value, str) else value):
                return False
        text = " ".join([alert.rule_name, alert.query, *(f"{key}={value}" for key, value in alert.tags.items())]).lower()
        return all(word in text for word in self.matching.lower().split())

    def _say_nothing(self, message: str) -> None:
        self.card.update(state="empty", message=message, since=None, notes=[], alerts=[])

    def _draw(self, lines: list[Line]) -> None:
        """Frames show nothing here."""

    def _clear(self) -> None:
        self.card.alerts = []


_WORDS = {"firing": "firing", "pending": "pending", "nodata": "without data", "error": "failing", "resolved": "resolved"}
#: By what a list is sorted; what is equal stays as it came.
_ORDERS: dict[str, Callable[[ActiveAlert], Any]] = {
    "urgency": lambda _: 0,
    "newest": lambda alert: -alert.since_ms,
    "oldest": lambda alert: alert.since_ms,
    "name": lambda alert: alert.rule_name.casefold(),
}


def _row(alert: ActiveAlert) -> list[object]:
    """What `Card.alerts` holds of one."""
    tags = ", ".join(f"{key}={value}" for key, value in sorted(alert.tags.items()))
    value = "" if alert.value is None else written(alert.value, "", None)
    return [alert.state, alert.severity, str(alert.rule_id), alert.rule_name, tags, float(alert.since_ms), value, alert.muted]
