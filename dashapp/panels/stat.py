"""One large number, with the range as a sparkline to the panel's edge."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource, Plot, Range1d, VArea
from bokeh.models import Line as LineGlyph

from dashapp.panels.base import Panel, renderer
from dashapp.panels.columns import bring
from dashapp.panels.lines import Line, drawn, reduce, with_breaks
from dashapp.panels.lines import on_grid as on
from dashapp.panels.palette import Level
from dashapp.panels.units import parts as parts_of


class StatPanel(Panel):
    kind = "stat"
    label, about = "Number", "One large number with its recent course."
    sketch = "M2 24l8-3 8 2 9-6 8 2 11-5M8 2 3 9h8M8.5 6.5V13M16 4.5a3 3 0 0 1 6 .5c0 3-6 4.5-6 8h6"
    options = ("unit", "decimals", "calculation", "color", "thresholds.warning", "thresholds.critical", "step")
    size = (3, 2)

    plot: Plot

    def _build(self) -> Plot:
        self.source = ColumnDataSource(data={"t": np.empty(0), "v0": np.empty(0), "y0": np.empty(0)})
        self.y_range = Range1d(0, 1)
        self._level: Level = "plain"
        color = self._ink
        self.fill = VArea(x="t", y1={"value": -10}, y2="y0", fill_color=color, fill_alpha=0.16)
        self.line = LineGlyph(x="t", y="y0", line_color=color, line_width=1.5, line_join="round")
        plot = self.parts.plot(y_range=self.y_range)
        plot.renderers = [renderer(self.source, self.fill), renderer(self.source, self.line)]
        return plot

    @property
    def _ink(self) -> str:
        return self.color if self._level == "plain" and self.color else self.parts.palette.level(self._level)

    def _draw(self, lines: list[Line]) -> None:
        line = lines[0]
        value = reduce(line, self.calculation)
        number, suffix = parts_of(value, self.shown_unit, self.decimals)
        self._level = self.level(value)
        self.card.headline = {"number": number, "suffix": suffix, "level": self._level}
        self.dress()
        times = with_breaks(line.times, [line])
        line = on(line, times)
        curve = drawn(line)
        low, high = float(np.nanmin(curve)), float(np.nanmax(curve))
        # The curve fills the strip; what hardly moves stays a calm line in its middle.
        room = max((high - low) * 0.15, abs(high) * 0.01, 1e-9)
        low, high = low - room * 2, high + room
        if self.y_range.start > low or self.y_range.end < high or (self.y_range.end - self.y_range.start) > 1.6 * (high - low):
            self.y_range.update(start=low, end=high)
            self.fill.y1 = {"value": low - (high - low) * 10}
        bring(self.source, {"t": times.astype(np.float64), "v0": line.values, "y0": curve})

    def _clear(self) -> None:
        self.source.data = {name: np.empty(0) for name in self.source.data}

    def dress(self) -> None:
        self.fill.fill_color = self.line.line_color = self._ink
