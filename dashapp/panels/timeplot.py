"""What line and area panels share: a time axis, a value axis with round lines, and one source with the columns ``t``
(Unix ms), ``v0…`` (samples), where lines aren't drawn as sampled ``y0…`` (as drawn), and stacked ``b0…`` (what it stands on)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from bokeh.models import BoxAnnotation, CDSView, ColumnDataSource, GlyphRenderer, Grid, LinearAxis, Plot, Range1d, Span
from numpy.typing import NDArray

from dashapp.panels.base import Panel
from dashapp.panels.columns import bring
from dashapp.panels.lines import Line, drawn, on_grid, with_breaks
from dashapp.panels.palette import Level, series_color
from dashapp.panels.parts import fixed_ticker
from dashapp.panels.units import Axis, axis_for, hover_format

if TYPE_CHECKING:
    from dashapp.contract.alerts import FiringPeriod

#: Bands of alerts in one plot, the newest.
MOST_MARKS = 20
Column = NDArray[np.float64]


class TimePlot(Panel):
    """Values over time."""

    options: ClassVar[tuple[str, ...]] = (
        "unit", "decimals", "min", "max", "color", "null_handling", "limit", "thresholds.warning", "thresholds.critical",
        "threshold_style", "show_legend", "legend", "step",
    )  # fmt: skip

    plot: Plot

    def _build(self) -> Plot:
        parts, palette = self.parts, self.parts.palette
        self.source = ColumnDataSource(data={"t": np.empty(0)})
        self._drawn_names: tuple[str, ...] = ()
        #: The letter of the columns that glyphs draw.
        self._letter = "v"
        #: All renderers show all rows of the one source.
        self.rows = CDSView()
        self.y_range = Range1d(0, 1)
        #: Bands of alerts, as `Card.marks` says.
        self.marks: list[BoxAnnotation] = []
        plot = parts.plot(y_range=self.y_range, min_border_right=12, min_border_top=6)
        label = {"axis_line_color": None, "major_tick_line_color": None, "minor_tick_line_color": None, **parts.label_style}
        self.x_axis = LinearAxis(
            ticker=parts.time_ticker,
            formatter=parts.time_formatter,
            major_label_policy=parts.apart,
            major_label_standoff=4,
            **label,
        )
        self.ticker = fixed_ticker(())
        self.y_axis = LinearAxis(
            ticker=self.ticker, formatter=parts.value_formatter, major_label_policy=parts.labels, major_label_standoff=6, **label
        )
        self.grid = Grid(dimension=1, ticker=self.ticker, grid_line_color=palette.grid)
        self.spans: dict[Level, Span] = {
            name: Span(dimension="width", location=float(value), line_color=palette.level(name), line_dash=[4, 3], line_width=1)
            for name, value in (self.thresholds if self.threshold_style == "line" else [])
        }
        self.bands: dict[Level, BoxAnnotation] = {
            name: BoxAnnotation(**ends, fill_color=palette.level(name), fill_alpha=0.10, line_color=None, level="underlay")
            for name, ends in (self._bands() if self.threshold_style == "band" else {}).items()
        }
        plot.below, plot.left = [self.x_axis], [self.y_axis]
        plot.center = [*self.bands.values(), self.grid, *self.spans.values()]
        self._scale_to(axis_for(0, 0, self.shown_unit, minimum=self.min, maximum=self.max))
        return plot

    def _bands(self) -> dict[Level, dict[str, float]]:
        """Which values are a warning and which critical: each from its threshold to the next or to the plot's edge."""
        near, far = ("top", "bottom") if self.falling else ("bottom", "top")
        ends: dict[Level, dict[str, float]] = {name: {near: value} for name, value in self.thresholds}
        if self.warning is not None and self.critical is not None:
            ends["warning"][far] = float(self.critical)
        return ends

    def _glyphs(self, index: int, color: str) -> list[GlyphRenderer]:
        """The renderers of the series at `index`, from back to front. Lines and areas have their own (see `Panel`)."""
        raise NotImplementedError

    def _columns(self, lines: list[Line]) -> dict[str, Column]:
        """The series' columns; the lines share their times."""
        columns = {f"v{index}": line.values for index, line in enumerate(lines)}
        curves = [drawn(line, self.null_handling) for line in lines]
        if any(curve is not line.values for curve, line in zip(curves, lines, strict=True)):
            columns |= {f"y{index}": curve for index, curve in enumerate(curves)}
        return columns

    def _draw(self, lines: list[Line]) -> None:
        times = (
            lines[0].times
            if len({id(line.times) for line in lines}) == 1
            else np.unique(np.concatenate([line.times for line in lines]))
        )
        times = with_breaks(times, lines, both_ends=self.null_handling == "zero")
        lines = [on_grid(line, times) for line in lines]
        columns = {"t": times.astype(np.float64), **self._columns(lines)}
        names = tuple(line.name for line in lines)
        if self._letter == "y" and "y0" not in columns:
            # Once drawn from columns of their own, lines go on so: no glyph on the page may miss its column for a moment.
            columns |= {f"y{index}": line.values for index, line in enumerate(lines)}
        letter = "y" if "y0" in columns else "v"
        if (names, letter) == (self._drawn_names, self._letter):
            bring(self.source, columns)
        else:
            # No glyph may ask for a column that isn't there, before or after.
            self.plot.renderers = []
            bring(self.source, columns)
            self._drawn_names, self._letter = names, letter
            layers = [self._glyphs(index, series_color(index, self.color)) for index in range(len(lines))]
            # Fills of all series lie behind the lines of all.
            self.plot.renderers = [glyph for layer in zip(*layers, strict=True) for glyph in layer]
            self.card.names = list(names)
        self._scale_to(self._axis(columns))

    def _clear(self) -> None:
        if len(self.source.data["t"]):
            self.source.data = {name: np.empty(0) for name in self.source.data}

    def _axis(self, columns: Mapping[str, Column]) -> Axis:
        tops = [column for name, column in columns.items() if name[0] == self._letter]
        low = min((float(np.nanmin(column)) for column in tops if not np.isnan(column).all()), default=0.0)
        high = max((float(np.nanmax(column)) for column in tops if not np.isnan(column).all()), default=0.0)
        # A threshold is shown once values come near it; far above, it would press the curve flat.
        shown = () if self.threshold_style == "off" else (self.warning, self.critical)
        near = [value for value in shown if value is not None and high >= 0.5 * value]
        return axis_for(low, max([high, *near]), self.shown_unit, minimum=self.min, maximum=self.max)

    def _scale_to(self, axis: Axis) -> None:
        self.label_width = axis.label_width
        ticks = list(axis.ticks)
        if ticks != self.ticker.ticks:
            self.ticker.ticks = ticks
            self.y_axis.major_label_overrides = dict(zip(axis.ticks, axis.labels, strict=True))
            self.card.format = hover_format(axis, self.shown_unit, self.decimals)
        if (self.y_range.start, self.y_range.end) != (axis.low, axis.high):
            self.y_range.update(start=axis.low, end=axis.high)

    def _legend(self, lines: list[Line]) -> list[list[str]]:
        return self._table(lines) if self.show_legend else []

    def mark(self, periods: Sequence[FiringPeriod]) -> None:
        """Show when alerts of what is drawn here fired, as faint bands behind the lines."""
        shown = [one for one in periods if any(one.concerns(selection) for selection, _ in self.selections)][:MOST_MARKS]
        marks = [[one.start_ms, one.end_ms, one.rule_name, one.severity] for one in shown]
        if marks == self.card.marks:
            return
        self.card.marks = marks
        others = [one for one in self.plot.center if one not in self.marks]
        self.marks = [
            BoxAnnotation(
                left=float(one.start_ms), right=None if one.end_ms is None else float(one.end_ms), line_color=None,
                fill_color=self._mark_color(one.severity), fill_alpha=0.10 / max(1, len(shown) / 2), level="underlay",
            )
            for one in shown
        ]  # fmt: skip
        self.plot.center = [*self.marks, *others]

    def _mark_color(self, severity: str) -> str:
        levels: dict[str, Level] = {"critical": "critical", "warning": "warning"}
        return self.parts.palette.level(levels.get(severity, "plain"))

    def dress(self) -> None:
        palette = self.parts.palette
        for band, (*_, severity) in zip(self.marks, self.card.marks, strict=True):
            band.fill_color = self._mark_color(severity)
        for name, span in self.spans.items():
            span.line_color = palette.level(name)
        for name, band in self.bands.items():
            band.fill_color = palette.level(name)
