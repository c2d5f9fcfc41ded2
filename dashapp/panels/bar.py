"""One bar a series, largest first, each on a faint full-length track with its value at the end."""

from __future__ import annotations

from bokeh.models import ColumnDataSource, HBar, LinearAxis, Plot, Range1d

from dashapp.panels.base import Panel, renderer
from dashapp.panels.lines import Line, reduce
from dashapp.panels.palette import Level, series_color
from dashapp.panels.parts import fixed_ticker
from dashapp.panels.units import axis_for, written

_LONGEST_NAME = 22
#: Fewer bars than this keep the thickness that so many would have.
_LEAST_SLOTS = 4


class BarPanel(Panel):
    kind = "bar"

    def _build(self) -> Plot:
        parts, palette = self.parts, self.parts.palette
        self._bars: list[tuple[str, float]] = []
        self._levels: list[Level] = []
        self.source = ColumnDataSource(data={"y": [], "value": [], "color": []})
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
        bar = HBar(y="y", left={"value": 0}, right="value", height={"value": 0.56}, fill_color={"field": "color"}, line_color=None)
        plot = parts.plot(x_range=self.x_range, y_range=self.y_range, min_border_top=2, min_border_bottom=6)
        plot.left, plot.right = [self.names], [self.values]
        plot.renderers = [renderer(self.source, self.track), renderer(self.source, bar)]
        return plot

    def _draw(self, lines: list[Line]) -> None:
        bars = [(line.name, value) for line in lines if (value := reduce(line, self.calculation)) is not None]
        bars.sort(key=lambda bar: -bar[1])
        self._bars = bars
        self._levels = [self.level(value) for _, value in bars]
        low = 0.0 if self.min is None else float(self.min)
        high = (
            self.max
            if self.max is not None
            else 100.0
            if self.unit == "percent"
            else axis_for(low, max(value for _, value in bars), self.unit).high
        )
        share = [min(1.0, max(0.0, (value - low) / (high - low))) for _, value in bars]
        texts = [written(value, self.unit, self.decimals) for _, value in bars]
        ticks = [float(index) for index in range(len(bars))]
        names = dict(zip(ticks, (_short(name) for name, _ in bars), strict=True))
        if self.names.major_label_overrides != names:
            self.names.major_label_overrides, self.ticker.ticks = names, ticks
            self.y_range.update(start=max(len(bars), _LEAST_SLOTS) - 0.5, end=-0.5)
        self.values.major_label_overrides = dict(zip(ticks, texts, strict=True))
        self._show(share)

    def _show(self, share: list[float]) -> None:
        colors = [self.color or series_color(0) if level == "plain" else self.parts.palette.level(level) for level in self._levels]
        data = {"y": [float(index) for index in range(len(share))], "value": share, "color": colors}
        if self.source.data != data:
            self.source.data = data

    def _clear(self) -> None:
        self.source.data = {"y": [], "value": [], "color": []}
        self.names.major_label_overrides, self.values.major_label_overrides, self.ticker.ticks = {}, {}, []

    def dress(self) -> None:
        self.track.fill_color = self.parts.palette.track
        self._show(list(self.source.data["value"]))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
