"""Filled areas over time, each from zero or, stacked, on top of the others."""

from __future__ import annotations

import numpy as np
from bokeh.models import GlyphRenderer, VArea
from bokeh.models import Line as LineGlyph

from dashapp.panels.base import renderer
from dashapp.panels.lines import Line
from dashapp.panels.timeplot import Column, TimePlot


class AreaPanel(TimePlot):
    kind = "area"
    label, about = "Area", "Series over time, filled or stacked."
    sketch = "M2 26V18l7-7 7 5 8-10 8 7 6-8 8 5v16z"
    filled = True
    options = (*TimePlot.options, "stack")

    def _glyphs(self, index: int, color: str) -> list[GlyphRenderer]:
        base = f"b{index}" if self.stack else {"value": 0}
        top = f"{self._letter}{index}"
        fill = VArea(x="t", y1=base, y2=top, fill_color=color, fill_alpha=0.22 if self.stack else 0.14)
        line = LineGlyph(x="t", y=top, line_color=color, line_width=1.5, line_join="round")
        return [renderer(self.source, glyph, name=f"s{index}", view=self.rows) for glyph in (fill, line)]

    def _columns(self, lines: list[Line]) -> dict[str, Column]:
        columns = super()._columns(lines)
        if self.stack:
            base = np.zeros(lines[0].times.size)
            for index in range(len(lines)):
                top = columns.get(f"y{index}", columns[f"v{index}"])
                columns[f"b{index}"] = np.where(np.isnan(top), np.nan, base)
                columns[f"y{index}"] = base + top
                # A series that nobody measured here adds nothing to those above it.
                base = base + np.nan_to_num(top)
        return columns
