"""Notebooks: a panel, or a client's dashboard, as the last expression of a cell is shown as its page shows it, live.

`import dashapp` tells a notebook's kernel of this room, which is loaded when there is something to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn
from bokeh.models import ImportedStyleSheet, UIElement
from panel.io.notebook import replace_inline_css

from dashapp.notebook.alone import AlonePanel
from dashapp.notebook.editor import Editor
from dashapp.panels import Panel

if TYPE_CHECKING:
    from dashapp.client.stored import StoredDashboard

__all__ = ["bundle", "component"]


def component(thing: Panel | StoredDashboard) -> Any:
    """The Panel component that shows a panel or a dashboard, for layouts: ``pn.Row(component(a), component(b))``.

    Raises:
        StartupError: a panel stands alone, and no server is known.
    """
    return AlonePanel(thing).stage if isinstance(thing, Panel) else Editor(thing).layout


def bundle(thing: Panel | StoredDashboard) -> Any:
    """What IPython displays of it."""
    if not pn.extension._loaded:
        # With its scripts in the notebook, which may have no way to anybody else's.
        pn.extension(inline=True)
    if _style not in pn.viewable.Viewable._preprocessing_hooks:
        pn.viewable.Viewable._preprocessing_hooks.append(_style)
    return component(thing)._repr_mimebundle_()


def _style(_: Any, root: Any) -> None:
    """What `inline` forgets where something is shown first: Panel's style sheets."""
    own: dict[str, Any] = {}
    for model in root.select({"type": UIElement}):
        sheets = [
            own.setdefault(sheet.url, replace_inline_css(sheet)) if isinstance(sheet, ImportedStyleSheet) else sheet
            for sheet in model.stylesheets
        ]
        if sheets != model.stylesheets:
            model.stylesheets = sheets


# In layouts panels are shown in the same way.
Panel.stage = component
