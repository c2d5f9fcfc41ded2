"""The base of all panels: parameters in, frames in, a Bokeh plot and a `Card` out.

A panel's parameters are a stored panel's options under the same names, so that a definition makes a panel and a panel is a
definition. Where a panel stands alone, as in a notebook, they may be changed at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, get_args

import numpy as np
import panel as pn
import param
from bokeh.models import ColumnDataSource, GlyphRenderer, Plot
from bokeh.models.glyph import Glyph
from pydantic import ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import UNASKING, LegendFigure, PanelDefinition, PanelOptions, PanelQuery, Unit
from dashapp.contract.durations import format_ms, humanize_ms
from dashapp.contract.frames import Frame
from dashapp.contract.metrics import Aggregation, Function, Selection
from dashapp.panels.card import Card
from dashapp.panels.lines import Line, lines_of, newest_ms, reduce
from dashapp.panels.palette import Level, series_color
from dashapp.panels.parts import Parts
from dashapp.panels.units import of_function, written

#: More lines than this can't be told apart, and each costs the browser time.
MOST_LINES = 40
#: Like alert rules: what wasn't measured for five minutes is no current value.
STALE_AFTER_MS = 300_000


class Panel(pn.viewable.Viewer):
    """One panel: give it frames with `update`; it changes its plot and card by the smallest messages.

    On a board all panels share one `Parts`; alone, as in a notebook, a panel makes its own.
    """

    #: What shows a panel that stands alone, asking a server for its frames: `dashapp.notebook` sets it.
    stage: ClassVar[Callable[[Panel], Any] | None] = None

    kind: ClassVar[str]
    #: What the gallery calls it, and one sentence about it.
    label: ClassVar[str]
    about: ClassVar[str]
    #: The path of a small picture, 48 by 28, and whether it is an area.
    sketch: ClassVar[str]
    filled: ClassVar[bool] = False
    #: Whether it asks for a metric.
    asks: ClassVar[bool] = True
    #: The options that it heeds, of `PanelOptions`; an editor offers these.
    options: ClassVar[tuple[str, ...]]
    #: More lines than this are left out, the smallest first.
    most_lines: ClassVar[int] = MOST_LINES
    #: Columns and rows that a new one takes.
    size: ClassVar[tuple[int, int]] = (6, 4)

    title = param.String(default="", doc="Stands in the panel's header.")
    query = param.String(default="", doc="The metric's name.")
    group_by = param.List(default=[], item_type=str, doc="One series for each combination of these tags.")
    tags = param.Dict(default={}, doc="Only series with all of these; a list of values means any of them.")
    aggregation = param.Selector(
        default=None, objects=[None, *get_args(Aggregation)], doc="How a bucket's samples become one value; as needed when None."
    )
    function = param.Selector(default=None, objects=[None, *get_args(Function)], doc="What is made of each series first.")
    alias = param.String(default=None, allow_None=True, doc="Names a series, e.g. `{host} {device}`.")
    step = param.String(default=None, allow_None=True, doc="Bucket width such as `1m`; follows the range when None.")
    queries = param.List(default=[], doc="Further queries in the same plot: `PanelQuery` or mappings.", precedence=-1)

    last = param.String(default=None, allow_None=True, doc="Alone: the range that ends now, such as `6h`.", precedence=-1)
    start = param.Parameter(default=None, doc="Alone: the range otherwise; a datetime, ISO 8601 or `now-6h`.", precedence=-1)
    end = param.Parameter(default=None, doc="Alone: the range's end; now when None.", precedence=-1)
    refresh = param.String(default="10s", doc="Alone: how often it asks anew; `off` stops it.", precedence=-1)

    unit = param.Selector(default="", objects=list(get_args(Unit)), doc="Unit of the values.")
    color = param.String(default=None, allow_None=True, doc="Colour of the first series; the palette's when None.")
    show_legend = param.Boolean(default=True, doc="Whether a table under the plot names the series.")
    warning = param.Number(default=None, allow_None=True, doc="From this value on the panel shows a warning.")
    critical = param.Number(default=None, allow_None=True, doc="From this value on the panel shows a critical state.")
    calculation = param.Selector(
        default="last", objects=["last", "avg", "min", "max", "sum"], doc="How a range becomes one number (stat, gauge, bar)."
    )
    min = param.Number(default=None, allow_None=True, doc="Lower end of the value axis or gauge.")
    max = param.Number(default=None, allow_None=True, doc="Upper end of the value axis or gauge.")
    decimals = param.Integer(
        default=None, allow_None=True, bounds=(0, 6), doc="Digits after the point; as it reads best when None."
    )
    stack = param.Boolean(default=False, doc="Series on top of each other.")
    null_handling = param.Selector(default="gap", objects=["gap", "connect", "zero"], doc="What is drawn where nobody measured.")
    threshold_style = param.Selector(default="line", objects=["line", "band", "off"], doc="How plots over time show thresholds.")
    legend = param.ListSelector(
        default=["last", "avg", "max"], objects=list(get_args(LegendFigure)), doc="The figures of the legend's table."
    )
    limit = param.Integer(default=None, allow_None=True, bounds=(1, 100), doc="Only the largest so many series.")

    def __init__(
        self, parts: Parts | None = None, panel_id: str = "", card: Card | None = None, *,
        by: str | Sequence[str] | None = None, selections: list[tuple[Selection, str | None]] | None = None, **params: Any,
    ) -> None:  # fmt: skip
        """
        Args:
            card: of the panel whose place this one takes.
            by: `group_by`, for short.
            selections: what it asks for, where that is known already.
            params: the parameters.

        Raises:
            ValidationFailed: a parameter has a value that a panel can't have.
        """
        if by is not None:
            params["group_by"] = [by] if isinstance(by, str) else list(by)
        super().__init__(**params)
        #: What it asks for, in drawing order, each with its naming template.
        self.selections = self._asked() if selections is None else selections
        self.parts = parts or Parts()
        self.card = card or Card(panel_id=panel_id)
        #: None where the page draws the panel by the card alone.
        self.plot: Plot | None = self._build()
        #: What it was last given to show.
        self.frames: list[Frame] = []
        self.lines: list[Line] = []
        self.card.update(
            kind=self.kind,
            title=self.title,
            plot=self.plot,
            headline={},
            legend=[],
            figures=list(self.legend),
            html="",
            table={},
            alerts=[],
            marks=[],
        )

    @classmethod
    def from_definition(
        cls, definition: PanelDefinition, parts: Parts | None = None, panel_id: str = "", card: Card | None = None
    ) -> Panel:
        options = definition.options
        # Options and parameters of one name are one thing.
        params = {name: getattr(options, name) for name in PanelOptions.model_fields if name in cls.param}
        params |= {"warning": options.thresholds.warning, "critical": options.thresholds.critical}
        params |= {"title": definition.title, "query": definition.query}
        params["step"] = format_ms(options.step) if options.step is not None else None
        return cls(parts, panel_id, card, selections=definition.selections(), **params)

    def definition(self) -> PanelDefinition:
        """What is stored of a panel like this one.

        Raises:
            ValidationFailed: a parameter has a value that a panel can't have.
        """
        options = {name: getattr(self, name) for name in PanelOptions.model_fields if name in self.param}
        options["queries"] = [PanelQuery.model_validate(query) for query in self.queries]
        options["thresholds"] = {"warning": self.warning, "critical": self.critical}
        values = {"title": self.title or self.query or self.label, "type": self.kind, "query": self.query, "options": options}
        try:
            return PanelDefinition.model_validate(values)
        except ValidationError as error:
            raise from_pydantic(error) from None

    def _asked(self) -> list[tuple[Selection, str | None]]:
        return self.definition().selections() if self.query or self.kind in UNASKING else []

    @property
    def shown_unit(self) -> Unit:
        """The unit of what is drawn: a rate of bytes is bytes a second."""
        return of_function(self.unit, self.function)

    def __panel__(self) -> Any:
        stage = type(self).stage
        return stage(self) if stage is not None else pn.pane.Bokeh(self.plot, sizing_mode="stretch_both", min_height=200)

    # -- what a view calls -------------------------------------------------------------------------------------

    def update(self, frames: Sequence[Frame], start_ms: int, end_ms: int, *, live: bool = True) -> None:
        """Show frames, one for each query, over [start_ms, end_ms] Unix ms.

        `live` says that the range ends now: then data that stopped coming is shown as stale.
        """
        self.frames = list(frames)
        lines = [line for line in lines_of(frames, self.selections) if not np.isnan(line.values).all()]
        notes = _notes(frames, start_ms)
        if len(lines) > (most := self.limit or self.most_lines):
            ranked = sorted(range(len(lines)), key=lambda index: reduce(lines[index], "avg") or 0.0, reverse=True)[:most]
            if not self.limit:
                notes.append(f"the {most} largest of {len(lines)} series")
            lines = [lines[index] for index in sorted(ranked)]
        self.lines = lines
        if not lines:
            if self.card.state != "empty":
                self._clear()
                self.card.update(state="empty", since=None, headline={}, legend=[], notes=notes, message=self._nothing())
            return
        self._draw(lines)
        newest = newest_ms(lines)
        assert newest is not None
        stale = live and end_ms - newest > STALE_AFTER_MS + max(line.step_ms for line in lines)
        self.card.update(
            state="stale" if stale else "live",
            since=float(newest) if stale else None,
            message="",
            notes=notes,
            legend=self._legend(lines),
        )

    def stale(self, since_ms: float, message: str) -> None:
        """Keep what is shown and say since when it is old; without anything to keep, say why."""
        if self.card.state in ("live", "stale"):
            self.card.update(state="stale", since=since_ms, message=message)
        else:
            self.fail(message)

    def fail(self, message: str) -> None:
        """Show one sentence instead of the plot."""
        self._clear()
        self.card.update(state="error", since=None, message=message, headline={}, legend=[], notes=[])

    def nothing_since(self, newest: int | None, now_ms: int) -> None:
        """Say more about an empty range: how old the newest sample is."""
        if self.card.state == "empty":
            told = f"the newest is {humanize_ms(now_ms - newest)} old" if newest is not None else "none was ever sent"
            self.card.message = f"{self._nothing()}; {told}"

    def dress(self) -> None:
        """Take the colours of the theme that `parts` has now; data stays as it is."""

    # -- what a kind of panel is -------------------------------------------------------------------------------
    # Each kind has its own. Not abstract methods: Viewer's metaclass is Parameterized's, which abc's can't be mixed with.

    def _build(self) -> Plot | None:
        raise NotImplementedError

    def _draw(self, lines: list[Line]) -> None:
        raise NotImplementedError

    def _clear(self) -> None:
        """Take the data off the plot."""
        raise NotImplementedError

    def _table(self, lines: list[Line]) -> list[list[str]]:
        """The legend's rows: name, colour, and the chosen figures."""
        return [
            [
                line.name,
                series_color(index, self.color),
                *(written(reduce(line, how), self.shown_unit, self.decimals) for how in self.legend),
            ]
            for index, line in enumerate(lines)
        ]

    def _legend(self, lines: list[Line]) -> list[list[str]]:  # noqa: ARG002 - most kinds have none
        return []

    # -- shared ------------------------------------------------------------------------------------------------

    def _nothing(self) -> str:
        return (
            "no samples of "
            + " or ".join(dict.fromkeys(selection.described() for selection, _ in self.selections))
            + " in this range"
        )

    @property
    def thresholds(self) -> list[tuple[Level, float]]:
        """The thresholds that are set."""
        both: tuple[tuple[Level, float | None], ...] = (("warning", self.warning), ("critical", self.critical))
        return [(name, float(value)) for name, value in both if value is not None]

    @property
    def falling(self) -> bool:
        """A critical value below the warning one means that low values are bad."""
        return self.warning is not None and self.critical is not None and self.critical < self.warning

    def level(self, value: float | None) -> Level:
        """How a value stands against the thresholds."""
        if value is None or not self.thresholds:
            return "plain"

        def reached(threshold: float | None) -> bool:
            return threshold is not None and (value <= threshold if self.falling else value >= threshold)

        return "critical" if reached(self.critical) else "warning" if reached(self.warning) else "ok"


def renderer(source: ColumnDataSource, glyph: Glyph, **options: Any) -> GlyphRenderer:
    """A renderer without the extra glyphs of selections and hovers, which no panel has."""
    return GlyphRenderer(
        data_source=source,
        glyph=glyph,
        selection_glyph=None,
        nonselection_glyph=None,
        hover_glyph=None,
        muted_glyph=None,
        **options,
    )


def _notes(frames: Sequence[Frame], start_ms: int) -> list[str]:
    # A bucket that lies only partly in the range is left out at a coarse level: that is no loss worth a word.
    short = [frame for frame in frames if frame.meta.partial and frame.meta.covered_start_ms > start_ms + frame.meta.step_ms]
    return ["older samples of this range are no longer kept"] if short else []
