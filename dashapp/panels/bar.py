"""One bar a series, largest first, each on a faint full-length track with its value at the end."""

from __future__ import annotations

import math

from bokeh.models import ColumnDataSource, HBar, LinearAxis, Plot, Range1d, Text

from dashapp.panels.base import Panel, renderer
from dashapp.panels.lines import Line, reduce
from dashapp.panels.palette import Level, Theme, series_color
from dashapp.panels.parts import fixed_ticker
from dashapp.panels.units import axis_for, written

_LONGEST_NAME = 22


class BarPanel(Panel):
    kind = "bar"

    def _build(self) -> Plot:
        parts, palette = self.parts, self.parts.palette
        self._bars: list[tuple[str, float]] = []
        self._levels: list[Level] = []
        self.source = ColumnDataSource(data={"y": [], "value": [], "color": [], "text": []})
        self.x_range, self.y_range = Range1d(0, 1), Range1d(0.5, -0.5)
        self.ticker = fixed_ticker(())
        self.axis = LinearAxis(
            ticker=self.ticker, formatter=parts.value_formatter, major_label_policy=parts.labels, major_label_standoff=8,
            major_label_text_font_size="11px", major_label_text_color=palette.muted, axis_line_color=None,
            major_tick_line_color=None, minor_tick_line_color=None,
        )  # fmt: skip
        self.track = HBar(y="y", left={"value": 0}, right={"value": 1}, height={"value": 0.56}, fill_color=palette.track, line_color=None)
        bar = HBar(y="y", left={"value": 0}, right="value", height={"value": 0.56}, fill_color={"field": "color"}, line_color=None)
        self.text = Text(
            x={"value": 1}, y="y", text={"field": "text"}, text_color=palette.muted, text_font_size={"value": "11px"},
            text_baseline="middle", text_align="left", x_offset={"value": 8},
        )  # fmt: skip
        plot = parts.plot(x_range=self.x_range, y_range=self.y_range, min_border_left=12, min_border_right=56, min_border_top=2, min_border_bottom=8)
        plot.left = [self.axis]
        plot.renderers = [
            renderer(self.source, self.track),
            renderer(self.source, bar),
            # The values stand right of the track, outside the frame.
            renderer(self.source, self.text, propagate_hover=False),
        ]
        return plot

    def _draw(self, lines: list[Line], start_ms: int, end_ms: int) -> None:
        bars = [(line.name, value) for line in lines if (value := reduce(line, self.calculation)) is not None]
        bars.sort(key=lambda bar: -bar[1])
        self._bars = bars
        self._levels = [self.level(value) for _, value in bars]
        low = 0.0 if self.min is None else float(self.min)
        high = self.max if self.max is not None else 100.0 if self.unit == "percent" else axis_for(low, max(value for _, value in bars), self.unit).high
        share = [min(1.0, max(0.0, (value - low) / (high - low))) for _, value in bars]
        texts = [written(value, self.unit, self.decimals) for _, value in bars]
        self.plot.min_border_right = math.ceil(max(map(len, texts)) * 6.4) + 20
        # Room for the texts inside the frame: the track is the unit length, the texts begin behind it.
        names = {float(index): _short(name) for index, (name, _) in enumerate(bars)}
        if self.axis.major_label_overrides != names:
            self.axis.major_label_overrides = names
            self.ticker.ticks = list(names)
            self.y_range.update(start=len(bars) - 0.5, end=-0.5)
        self._show(share, texts)

    def _show(self, share: list[float], texts: list[str]) -> None:
        colors = [self.color or series_color(0) if level == "plain" else self.parts.palette.level(level) for level in self._levels]
        data = {"y": [float(index) for index in range(len(share))], "value": share, "color": colors, "text": texts}
        if self.source.data != data:
            self.source.data = data

    def _clear(self) -> None:
        self.source.data = {"y": [], "value": [], "color": [], "text": []}
        self.axis.major_label_overrides, self.ticker.ticks = {}, []

    def dress(self, theme: Theme) -> None:
        palette = self.parts.palette
        self.track.fill_color, self.text.text_color = palette.track, palette.muted
        self._show(list(self.source.data["value"]), list(self.source.data["text"]))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
