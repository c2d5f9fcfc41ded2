"""Lines over time."""

from __future__ import annotations

from bokeh.models import GlyphRenderer
from bokeh.models import Line as LineGlyph

from dashapp.panels.base import renderer
from dashapp.panels.timeplot import TimePlot


class LinePanel(TimePlot):
    kind = "line"
    label, about = "Line", "Series over time."
    sketch = "M2 20 9 11l7 5 8-10 8 7 6-8 8 5"

    def _glyphs(self, index: int, color: str) -> list[GlyphRenderer]:
        line = LineGlyph(x="t", y=f"{self._letter}{index}", line_color=color, line_width=1.5, line_join="round")
        return [renderer(self.source, line, name=f"s{index}", view=self.rows)]
