"""A panel that stands alone in a notebook: a board of one, drawn anew when one of its parameters changes."""

from __future__ import annotations

import weakref
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dashapp.client.asynchronous import shown_range
from dashapp.client.sync import Client, latest
from dashapp.contract.dashboards import Dashboard, Position
from dashapp.contract.dashboards import Panel as StoredPanel
from dashapp.errors import ValidationFailed
from dashapp.notebook.view import View
from dashapp.panels import Panel

#: The id of the board's panel, which is stored nowhere.
_ALONE = UUID(int=0)


class AlonePanel(View):
    """Shows `panel`, asking `client`; the one that was made last, where none is given."""

    def __init__(self, panel: Panel, client: Client | None = None) -> None:
        super().__init__(client or latest(), _board_of(panel), shown_range(panel.last, panel.start, panel.end), panel.refresh)
        me, names = weakref.WeakMethod(self._changed), [name for name in panel.param if name != "name"]

        def tell(*_: Any) -> None:
            changed = me()
            if changed is not None:
                changed(panel)
            else:
                panel.param.unwatch(watcher)

        watcher = panel.param.watch(tell, names)

    def _changed(self, panel: Panel) -> None:
        self.show(_board_of(panel), shown_range(panel.last, panel.start, panel.end), panel.refresh)


def _board_of(panel: Panel) -> Dashboard:
    """
    Raises:
        ValidationFailed: a parameter has a value that a panel can't have.
    """
    if not panel.query and panel.asks:
        raise ValidationFailed(f"query: a panel of type {panel.kind} asks for a metric; {type(panel).__name__}(query=…).")
    definition = panel.definition()
    fields = {name: getattr(definition, name) for name in type(definition).model_fields}
    fields["position"] = Position(w=12, h=panel.size[1])
    now = datetime.now(UTC)
    return Dashboard(
        id=_ALONE, name=definition.title, description="", owner_id=_ALONE, is_public=False, layout=[], version=0, created_at=now,
        updated_at=now, panels=[StoredPanel(id=_ALONE, dashboard_id=_ALONE, **fields)],
    )  # fmt: skip
