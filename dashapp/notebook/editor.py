"""A client's dashboard in a notebook: the board, and beside it the parameters of one of its panels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import panel as pn
from pydantic.alias_generators import to_snake

from dashapp.errors import Conflict, DashappError
from dashapp.notebook.view import View
from dashapp.panels import PANELS
from dashapp.panels.form import panel_form

if TYPE_CHECKING:
    from dashapp.client.stored import StoredDashboard

_ASKS = ("query", "group_by", "tags", "aggregation", "function", "alias")
_WIDTH = 280
#: Words in the notebook's own colour, which Panel's widgets don't take in a dark one.
_INK = ":host, :host label, .bk-input { color: var(--jp-ui-font-color1, inherit); }"
#: Where Panel's own choice for a kind of parameter doesn't do: its sliders have no empty value.
_WIDGETS: dict[str, dict[str, Any]] = {
    "legend": {"type": pn.widgets.MultiChoice}, "group_by": {"type": pn.widgets.MultiChoice},
    "decimals": {"type": pn.widgets.IntInput}, "limit": {"type": pn.widgets.IntInput},
    "content": {"type": pn.widgets.TextAreaInput, "rows": 8},
}  # fmt: skip


@cache
def _labels() -> dict[str, str]:
    """What the page's editor calls each parameter."""
    form = panel_form()
    return {to_snake(field.name.removeprefix("thresholds.")): field.label for field in (*form.options, *form.query)}


class Editor:
    """Shows `board` as `layout`; what is changed in the form is the board's, and stored by its Save."""

    def __init__(self, board: StoredDashboard) -> None:
        self.board = board
        self._view = View(board.client, board, board.shown, board.refresh)
        self._own = False
        self._edit = pn.widgets.Toggle(name="Edit", width=80, align="end")
        self._choice = pn.widgets.Select(name="Panel", options=self._choices(), width=_WIDTH, stylesheets=[_INK])
        self._form = pn.Column(width=_WIDTH)
        self._save = pn.widgets.Button(name="Save", button_type="primary", width=80)
        self._reload = pn.widgets.Button(name="Read anew", width=100, visible=False)
        self._note = pn.pane.HTML("", width=_WIDTH)
        self._side = pn.Column(
            self._choice, self._form, pn.Row(self._save, self._reload), self._note, visible=False, width=_WIDTH + 50
        )
        wide = {"sizing_mode": "stretch_width"}
        bar = pn.Row(pn.Spacer(**wide), self._edit, **wide)
        #: The Panel component that is all of this.
        self.layout = pn.Column(bar, pn.Row(self._view.stage, self._side, **wide), **wide)
        self._edit.param.watch(self._open, "value")
        self._choice.param.watch(lambda _: self._fill(), "value")
        self._save.on_click(lambda _: self._try(board.save, lambda: f"Saved as version {board.version}."))
        self._reload.on_click(lambda _: self._try(board.reload, lambda: "As it is stored now.", own=False))
        board.on_change(self._changed)

    def _open(self, *_: Any) -> None:
        self._side.visible = self._edit.value
        self._fill()

    def _choices(self) -> dict[str, str]:
        return {f"{panel.title} ({panel.type})": str(panel.id) for panel in self.board.panels}

    def _changed(self) -> None:
        self._view.show(self.board)
        if (choices := self._choices()) != self._choice.options:
            self._choice.options = choices
        # What the form itself did, it shows: made anew, it would lose the focus and what is being typed.
        if not self._own:
            self._fill()

    def _fill(self) -> None:
        """The form of the chosen panel, as it is now."""
        panel_id = self._choice.value
        # While the choices change, the chosen one may be gone.
        if not self._edit.value or panel_id not in {str(panel.id) for panel in self.board.panels}:
            return
        stored = self.board.panel(panel_id)
        kind = PANELS[stored.type]
        panel = kind.from_definition(stored)
        heeded = [name.removeprefix("thresholds.") for name in kind.options]
        names = ["title", *(_ASKS if kind.asks else ()), *heeded]
        panel.param.watch(lambda *events: self._change(panel_id, {event.name: event.new for event in events}), names)
        widgets = {
            name: {"name": _labels().get(name, name.capitalize()), "stylesheets": [_INK], **_WIDGETS.get(name, {})}
            for name in names
        }
        if kind.asks:
            widgets["group_by"]["options"] = sorted({*self._tags(panel.query), *panel.group_by})
        self._form.objects = [pn.Param(panel, parameters=names, widgets=widgets, show_name=False, width=_WIDTH, margin=0)]

    def _tags(self, metric: str) -> list[str]:
        try:
            return list(self.board.client.tags(metric))
        except DashappError:
            return []

    def _change(self, panel_id: str, changes: dict[str, Any]) -> None:
        thresholds = {name: changes.pop(name) for name in ("warning", "critical") if name in changes}
        # An empty field is none.
        changes = {name: None if value == "" and name in ("alias", "color", "step") else value for name, value in changes.items()}
        self._try(lambda: self.board.change(panel_id, **changes, **({"thresholds": thresholds} if thresholds else {})))

    def _try(self, act: Callable[[], Any], said: Callable[[], str] = str, *, own: bool = True) -> None:
        """Do it, and say what came of it; `own` where the form shows already what it will be."""
        self._own = own
        try:
            act()
        except DashappError as error:
            self._say(str(error), "var(--jp-error-color1, #d03b33)")
            self._reload.visible = isinstance(error, Conflict)
        else:
            self._say(said())
            self._reload.visible = False
        finally:
            self._own = False

    def _say(self, text: str, color: str = "var(--jp-ui-font-color1, inherit)") -> None:
        self._note.object = f'<p role="status" style="color: {color}; margin: 0">{escape(text)}</p>' if text else ""
