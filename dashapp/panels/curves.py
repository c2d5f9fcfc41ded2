"""A line panel's picture as a HoloViews plot, for Explore: a `Curve` a series and, where each can be seen, its samples as a
`Scatter`, over each other in one figure.

HoloViews makes the figure, its sources and glyphs; axes, grid, ranges and colours are the panel's, so that what Explore
shows is what "Add to dashboard" makes.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bokeh.models import Plot

from dashapp.panels.palette import series_color

if TYPE_CHECKING:
    from dashapp.panels.line import LinePanel

#: HoloViews keeps what elements were told in one store for the whole process.
_one_at_a_time = Lock()


@cache
def load() -> ModuleType:
    """HoloViews with its Bokeh backend. It takes a while the first time, which a server may spend before it is asked."""
    holoviews = import_module("holoviews")
    holoviews.renderer("bokeh")
    return holoviews


def curves(panel: LinePanel, *, samples: bool) -> Plot:
    """What `panel` shows now, each sample marked with `samples`. Takes some 15 ms a series: not for an event loop.

    Each series' source has the times ``t`` (Unix ms) and its column as the panel's own has it (see `timeplot`); its
    renderers have the series' name, ``s0…``.
    """
    hv = load()
    columns = panel.source.data
    elements: list[tuple[int, Any]] = []
    with _one_at_a_time:
        for index in range(len(panel.lines)):
            drawn = f"y{index}" if f"y{index}" in columns else f"v{index}"
            color = series_color(index, panel.color)
            curve = hv.Curve((columns["t"], columns[drawn]), "t", drawn)
            elements.append((index, curve.opts(color=color, line_width=1.5, line_join="round", backend="bokeh")))
            if samples:
                dots = hv.Scatter((columns["t"], columns[f"v{index}"]), "t", f"v{index}")
                elements.append((index, dots.opts(color=color, size=5, line_color=None, backend="bokeh")))
        overlay = hv.Overlay([element for _, element in elements]).opts(show_legend=False, toolbar=None, backend="bokeh")
        plot = hv.renderer("bokeh").get_plot(overlay)
        # The document of the process would keep it for ever.
        plot.cleanup()
        figure = plot.state
    for (index, _), renderer in zip(elements, figure.renderers, strict=True):
        renderer.name = f"s{index}"
        # What was measured, for hovers and tables, beside what is drawn.
        source = renderer.data_source
        source.data = {**source.data, f"v{index}": columns[f"v{index}"]}
    return _dressed(figure, panel)


def _dressed(figure: Plot, panel: LinePanel) -> Plot:
    own = panel.plot
    figure.update(
        x_range=own.x_range, y_range=own.y_range, x_scale=own.x_scale, y_scale=own.y_scale,
        below=own.below, left=own.left, center=own.center, **panel.parts.look, min_border_right=12, min_border_top=6,
    )  # fmt: skip
    return figure
