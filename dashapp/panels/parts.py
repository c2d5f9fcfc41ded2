"""Bokeh models that all plots of a document share. Fewer models a figure is most of a fast first paint."""

from __future__ import annotations

from bokeh.models import (
    AllLabels,
    DatetimeTickFormatter,
    FixedTicker,
    LinearScale,
    NoOverlap,
    Plot,
    Range1d,
    SingleIntervalTicker,
    Toolbar,
)
from bokeh.models.formatters import BasicTickFormatter

from dashapp.panels.palette import PALETTES, Palette, Theme

#: What the pages are set in; canvases don't inherit it.
FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


class Parts:
    """One document's time axis, scales and colours."""

    def __init__(self, theme: Theme = "dark") -> None:
        self.theme: Theme = theme
        #: Unix ms; one range for every plot over time, so that all slide together in one message.
        self.x_range = Range1d(0, 1)
        self.scale = LinearScale()
        # The page's script puts ticks on round local times; this is what stands where it doesn't run.
        self.time_ticker = SingleIntervalTicker(interval=600_000, num_minor_ticks=0)
        self.time_formatter = DatetimeTickFormatter(minutes="%H:%M", hours="%H:%M", days="%d %b", hourmin="%H:%M")
        self.value_formatter = BasicTickFormatter()
        self.labels = AllLabels()
        self.apart = NoOverlap(min_distance=12)

    @property
    def label_style(self) -> dict[str, object]:
        """Type of axis labels."""
        return {"major_label_text_font": FONT, "major_label_text_font_size": "11px", "major_label_text_color": self.palette.muted}

    @property
    def palette(self) -> Palette:
        return PALETTES[self.theme]

    def slide(self, start_ms: int, end_ms: int) -> None:
        """Show [start_ms, end_ms]."""
        self.x_range.update(start=float(start_ms), end=float(end_ms))
        self.time_ticker.interval = float(_interval(end_ms - start_ms))

    @property
    def look(self) -> dict[str, object]:
        """A plot without frame, tools or padding, as large as its place."""
        return {
            "title": None, "toolbar": Toolbar(logo=None), "toolbar_location": None, "outline_line_color": None,
            "background_fill_color": None, "border_fill_color": None, "sizing_mode": "stretch_both",
            "min_border": 0, "width": None, "height": None,
        }  # fmt: skip

    def plot(self, *, x_range: Range1d | None = None, y_range: Range1d, **options: object) -> Plot:
        """An empty plot."""
        ranges = {"x_range": x_range or self.x_range, "y_range": y_range}
        return Plot(**ranges, x_scale=self.scale, y_scale=self.scale, **self.look, **options)


def fixed_ticker(ticks: tuple[float, ...]) -> FixedTicker:
    return FixedTicker(ticks=list(ticks), num_minor_ticks=0)


def _interval(span_ms: int) -> int:
    """The round distance of time ticks that gives about six."""
    minute, hour, day = 60_000, 3_600_000, 86_400_000
    rounds = (1_000, 5_000, 10_000, 30_000, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour,
              2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day)  # fmt: skip
    return next((interval for interval in rounds if interval * 7 >= span_ms), rounds[-1])
