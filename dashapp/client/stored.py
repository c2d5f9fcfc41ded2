"""`StoredDashboard`: a dashboard as a client read it, to be changed and put back. In a notebook it shows itself."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import PrivateAttr, ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import Dashboard, Panel, PanelDefinition, PanelOptions
from dashapp.contract.timerange import TimeRange
from dashapp.errors import ValidationFailed

if TYPE_CHECKING:
    from dashapp.client.sync import Client


class StoredDashboard(Dashboard):
    """The contract's dashboard, and the client that it came from. Changes stay here until `save`."""

    _client: Client = PrivateAttr()
    _shown: TimeRange = PrivateAttr()
    _refresh: str = PrivateAttr()
    _listeners: list[weakref.WeakMethod[Callable[[], None]]] = PrivateAttr(default_factory=list)

    @classmethod
    def of(cls, client: Client, dashboard: Dashboard, shown: TimeRange, refresh: str) -> StoredDashboard:
        stored = cls.model_construct(**{name: getattr(dashboard, name) for name in Dashboard.model_fields})
        stored._client, stored._shown, stored._refresh = client, shown, refresh
        return stored

    @property
    def client(self) -> Client:
        """Who it was asked of."""
        return self._client

    @property
    def shown(self) -> TimeRange:
        """The range over which a notebook shows it."""
        return self._shown

    @property
    def refresh(self) -> str:
        """How often a notebook asks for what is new; ``off`` never by itself."""
        return self._refresh

    def __repr__(self) -> str:
        return f"<Dashboard {self.name!r}, version {self.version}, {len(self.panels)} panels>"

    def panel(self, which: str | UUID) -> Panel:
        """One panel, by id or by title.

        Raises:
            ValidationFailed: none is called so, or several are.
        """
        found = [panel for panel in self.panels if str(which) in (str(panel.id), panel.title)]
        if len(found) != 1:
            known = f"{len(found)} panels; take the id of one" if found else "no panel of this dashboard"
            raise ValidationFailed(f"{str(which)!r} names {known}.")
        return found[0]

    def change(self, which: str | UUID, **changes: Any) -> Panel:
        """Change a panel, by id or by title: ``change("CPU", unit="percent", by="host", thresholds={"warning": 80})``.

        Args:
            changes: ``title``, ``type``, ``query``, ``position``, and options as in docs/dashboards.md, in snake_case; ``by``
                is ``group_by`` for short.

        Raises:
            ValidationFailed: no panel is called so, or it can't be so; nothing is changed then.
        """
        old = self.panel(which)
        if "by" in changes:
            by = changes.pop("by")
            changes["group_by"] = [by] if isinstance(by, str) else list(by)
        fields = {name: changes.pop(name) for name in ("title", "type", "query", "position") if name in changes}
        if unknown := [name for name in changes if name not in PanelOptions.model_fields]:
            raise ValidationFailed(f"{unknown[0]}: panels have no such option; docs/dashboards.md lists them.")
        thresholds = changes.pop("thresholds", None) or {}
        options = old.options.model_dump() | changes
        options["thresholds"] = options["thresholds"] | dict(thresholds)
        definition = {name: getattr(old, name) for name in PanelDefinition.model_fields} | fields | {"options": options}
        try:
            new = PanelDefinition.model_validate(definition)
        except ValidationError as error:
            raise from_pydantic(error) from None
        changed = old.model_copy(update={name: getattr(new, name) for name in PanelDefinition.model_fields} | {"error": None})
        self.panels = [changed if panel.id == old.id else panel for panel in self.panels]
        self._tell()
        return changed

    def save(self) -> None:
        """Put it back to the server.

        Raises:
            Conflict: somebody changed it since it was read; nothing is saved then. `reload` reads it anew.
        """
        self._take(self._client.save_dashboard(self))

    def reload(self) -> None:
        """Read it anew; what wasn't saved is gone."""
        self._take(self._client.dashboard(self.id))

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a bound method at each change, for as long as its object lives."""
        self._listeners.append(weakref.WeakMethod(listener))

    def _take(self, dashboard: Dashboard) -> None:
        for name in Dashboard.model_fields:
            setattr(self, name, getattr(dashboard, name))
        self._tell()

    def _tell(self) -> None:
        self._listeners = [listener for listener in self._listeners if listener() is not None]
        for listener in self._listeners:
            if (call := listener()) is not None:
                call()
