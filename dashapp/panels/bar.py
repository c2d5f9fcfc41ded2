"""One bar a series, largest first, each on a faint full-length track with its value at the end."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource, HBar, LinearAxis, Plot, Range1d

from dashapp.panels.base import Panel, renderer
from dashapp.panels.lines import Line, reduce
from dashapp.panels.palette import Level, series_color
from dashapp.panels.parts import fixed_ticker
from dashapp.panels.units import bar_ends, share, written

_LONGEST_NAME = 22
#: Fewer bars than this keep the thickness that so many would have.
_LEAST_SLOTS = 4


class BarPanel(Panel):
    kind = "bar"
    label, about = "Bars", "One bar a series, largest first, or all in one."
    sketch = "M2 3h44v5H2zM2 12h29v5H2zM2 21h16v5H2z"
    filled = True
    options = (
        "unit", "decimals", "calculation", "min", "max", "color", "stack", "limit", "thresholds.warning", "thresholds.critical",
        "show_legend", "legend", "step",
    )  # fmt: skip
    size = (4, 4)

    plot: Plot

    def _build(self) -> Plot:
        parts, palette = self.parts, self.parts.palette
        self._levels: list[Level] = []
        self.source = ColumnDataSource(data={"y": [], "from": [], "value": [], "color": []})
        self.x_range, self.y_range = Range1d(0, 1), Range1d(0.5, -0.5)
        self.ticker = fixed_ticker(())
        label = {
            "ticker": self.ticker,
            "formatter": parts.value_formatter,
            "major_label_policy": parts.labels,
            "axis_line_color": None,
            "major_tick_line_color": None,
            "minor_tick_line_color": None,
            **parts.label_style,
        }
        # Names stand left of the tracks and values right of them, both as labels of an axis.
        self.names = LinearAxis(major_label_standoff=8, **label)
        self.values = LinearAxis(major_label_standoff=8, **label)
        self.track = HBar(
            y="y", left={"value": 0}, right={"value": 1}, height={"value": 0.56}, fill_color=palette.track, line_color=None
        )
        bar = HBar(y="y", left="from", right="value", height={"value": 0.56}, fill_color={"field": "color"}, line_color=None)
        plot = parts.plot(x_range=self.x_range, y_range=self.y_range, min_border_top=2, min_border_bottom=6)
        plot.left, plot.right = [self.names], [self.values]
        plot.renderers = [renderer(self.source, self.track), renderer(self.source, bar)]
        return plot

    def _draw(self, lines: list[Line]) -> None:
        bars = [(line.name, value) for line in lines if (value := reduce(line, self.calculation)) is not None]
        if self.stack:
            self._draw_one([value for _, value in bars])
        else:
            self._draw_each(sorted(bars, key=lambda bar: -bar[1]))

    def _draw_each(self, bars: list[tuple[str, float]]) -> None:
        self._levels = [self.level(value) for _, value in bars]
        low, high = bar_ends(max(value for _, value in bars), self.shown_unit, minimum=self.min, maximum=self.max)
        self._label([(_short(name), written(value, self.shown_unit, self.decimals)) for name, value in bars])
        self._show([0.0] * len(bars), [share(value, low, high) for _, value in bars], list(range(len(bars))))

    def _draw_one(self, values: list[float]) -> None:
        """All series in one bar, each beginning where the one before it ends."""
        tops = np.cumsum(values)
        low, high = bar_ends(float(tops[-1]), self.shown_unit, minimum=self.min, maximum=self.max)
        self._levels = []
        self._label([("", written(float(tops[-1]), self.shown_unit, self.decimals))])
        ends = [share(float(top), low, high) for top in tops]
        self._show([0.0, *ends[:-1]], ends, [0] * len(ends))

    def _label(self, bars: list[tuple[str, str]]) -> None:
        ticks = [float(index) for index in range(len(bars))]
        names = dict(zip(ticks, (name for name, _ in bars), strict=True))
        if self.names.major_label_overrides != names:
            self.names.major_label_overrides, self.ticker.ticks = names, ticks
            self.y_range.update(start=max(len(bars), 1 if self.stack else _LEAST_SLOTS) - 0.5, end=-0.5)
        self.values.major_label_overrides = dict(zip(ticks, (text for _, text in bars), strict=True))

    def _show(self, starts: list[float], ends: list[float], rows: list[int]) -> None:
        colors = (
            [self.color or series_color(0) if level == "plain" else self.parts.palette.level(level) for level in self._levels]
            if self._levels
            else [series_color(index, self.color) for index in range(len(rows))]
        )
        data = {"y": [float(row) for row in rows], "from": starts, "value": ends, "color": colors}
        if self.source.data != data:
            self.source.data = data

    def _legend(self, lines: list[Line]) -> list[list[str]]:
        # A bar of its own has its name beside it.
        return self._table(lines) if self.stack and self.show_legend else []

    def _clear(self) -> None:
        self.source.data = {name: [] for name in self.source.data}
        self.names.major_label_overrides, self.values.major_label_overrides, self.ticker.ticks = {}, {}, []

    def dress(self) -> None:
        self.track.fill_color = self.parts.palette.track
        data = self.source.data
        self._show(list(data["from"]), list(data["value"]), [int(row) for row in data["y"]])


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
