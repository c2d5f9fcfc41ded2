"""What a panel shows beside its plot: state, headline and legend, as one small model that the page's script draws.

A Bokeh `DataModel` is plain synchronised state: it needs no JavaScript class of its own, and a change of one
property travels as one patch.
"""

from __future__ import annotations

from typing import Literal

from bokeh.core.properties import Any, Dict, Float, Instance, Int, List, Nullable, String
from bokeh.model import DataModel
from bokeh.models import Plot

State = Literal["loading", "live", "stale", "empty", "error"]


class Card(DataModel):
    panel_id = String(default="", help="The panel's id, as in `data-panel-id`.")
    kind = String(default="line", help="The panel's type.")
    title = String(default="", help="What stands in the panel's header.")
    plot = Nullable(Instance(Plot), default=None, help="What is drawn in the panel's frame now.")
    place = List(Int, default=[], help="The panel's place on the grid: x, y, w, h.")
    state = String(default="loading", help="`loading`, `live`, `stale`, `empty` or `error`.")
    message = String(default="", help="One sentence for `empty` and `error`.")
    since = Nullable(Float, default=None, help="Unix ms since when the data is stale.")
    notes = List(String, default=[], help="What to know about the numbers, e.g. that the range is only partly held.")
    headline = Dict(String, Any, default={}, help="A stat's number: `number`, `suffix`, `level`.")
    names = List(String, default=[], help="Names of the drawn series, for the values under the pointer.")
    format = Dict(String, Any, default={}, help="How values under the pointer are written: `factor`, `suffix`, `digits`.")
    html = String(default="", help="What a text panel says, safe to be put into the page.")
    table = Dict(String, Any, default={}, help="`columns`, and `rows` of [name, level, share, figures, figures as written].")
    alerts = List(Any, default=[], help="Rows of [state, severity, rule's id, rule, tags, since in Unix ms, value, muted].")
    marks = List(Any, default=[], help="When alerts of this fired: [start, end, rule, severity], Unix ms; no end while it fires.")
    legend = List(Any, default=[], help="Rows of [name, colour, figures…].")
    figures = List(String, default=[], help="What the legend's figures are, e.g. `last`.")


class Cards(DataModel):
    """The root of a board's document: its panels' cards, and what they are cards of."""

    cards = List(Instance(Card), default=[], help="The cards of the board's panels, each with its plot.")
    version = Int(default=0, help="The version of the dashboard that is shown.")
    title = String(default="", help="The dashboard's name.")
    variables = List(Any, default=[], help="What readers choose: the contract's variables, each with what is `chosen`.")
    range_ms = List(Float, default=[], help="The shown range in Unix ms.")


class PageState(DataModel):
    """The root of a dashboard page's session: what the page's script and the server tell each other."""

    start = String(default="now-1h", help="The range's start as in the link.")
    end = String(default="now", help="The range's end as in the link.")
    refresh = String(default="10s", help="`off` or a span such as `10s`.")
    theme = String(default="dark", help="`dark` or `light`.")
    variables = Dict(String, List(String), default={}, help="The values that are chosen, by variable; all where it has none.")
    visible = Any(default=True, help="False while the tab is hidden: a hidden page costs nothing.")
    editing = Any(default=False, help="From the page: whether it edits, and so draws by itself.")
    draft = String(default="", help="JSON of the panel that is being edited: {id, title, type, query, options, position}.")
    draft_problems = Dict(String, String, default={}, help="What is wrong with the draft, by field.")
    problem = String(default="", help="One sentence about what keeps the whole page from being fresh.")
    shown = List(Int, default=[], help="From the page: the board that it shows, and the change up to which it does.")
    asked = Int(default=0, help="From the page: counted up to see what is new at once.")
    retry = List(Any, default=[], help="From the page: the panel to ask for once more, and how often that was wanted.")
    changes = String(default="", help="To the page: patches of the board's document, as JSON.")
    picture = String(default="", help="To the page: a whole board to show instead, as JSON.")
