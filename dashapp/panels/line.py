"""Lines over time."""

from __future__ import annotations

from bokeh.models import GlyphRenderer
from bokeh.models import Line as LineGlyph

from dashapp.panels.base import renderer
from dashapp.panels.timeplot import TimePlot


class LinePanel(TimePlot):
    kind = "line"

    def _glyphs(self, index: int, color: str) -> list[GlyphRenderer]:
        return [
            renderer(
                self.source, LineGlyph(x="t", y=f"y{index}", line_color=color, line_width=1.5, line_join="round"), name=f"s{index}"
            )
        ]
