"""How the values of many series are spread over time: the darker a cell, the more series have a value in its band."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Image, LinearColorMapper, Plot
from numpy.typing import NDArray

from dashapp.panels.base import renderer
from dashapp.panels.lines import Line
from dashapp.panels.palette import series_color
from dashapp.panels.timeplot import TimePlot
from dashapp.panels.units import axis_for, written

#: Bands of values from the lowest to the highest.
BANDS = 20
_MOST_COLUMNS = 1_000
_SHADES = 12


class HeatmapPanel(TimePlot):
    kind = "heatmap"
    label, about = "Heat map", "How the values of many series are spread over time."
    sketch = "M3 17h8v8H3zM13 10h8v8h-8zM13 19h8v6h-8zM23 3h8v8h-8zM23 13h8v8h-8zM33 8h8v8h-8zM33 18h8v7h-8z"
    filled = True
    options = ("unit", "decimals", "min", "max", "color", "step")
    most_lines = 10_000

    def _build(self) -> Plot:
        plot = super()._build()
        self.source = ColumnDataSource(data={name: [] for name in ("image", "x", "y", "dw", "dh")})
        self.mapper = LinearColorMapper(palette=self._shades(), low=0.5, high=1.5, low_color="rgba(0, 0, 0, 0)")
        cells = Image(image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=self.mapper)
        plot.renderers = [renderer(self.source, cells, name="cells")]
        return plot

    def _shades(self) -> list[str]:
        """From nearly the surface to the full colour."""
        low, high = (_rgb(color) for color in (self.parts.palette.surface, series_color(0, self.color)))
        shares = np.linspace(0.22, 1.0, _SHADES)
        return ["#" + "".join(f"{round(float(part)):02x}" for part in low + (high - low) * share) for share in shares]

    def _draw(self, lines: list[Line]) -> None:
        values = np.concatenate([line.values for line in lines])
        times = np.concatenate([line.times for line in lines])
        held = ~np.isnan(values)
        values, times = values[held], times[held]
        axis = axis_for(float(values.min()), float(values.max()), self.shown_unit, minimum=self.min, maximum=self.max)
        width = _column_ms(np.unique(times), max(line.step_ms for line in lines))
        start = int(times.min())
        columns = (int(times.max()) - start) // width + 1
        edges = np.linspace(axis.low, axis.high, BANDS + 1)
        inside = (values >= axis.low) & (values <= axis.high)
        bands = np.minimum(np.searchsorted(edges, values[inside], side="right") - 1, BANDS - 1)
        cells = np.zeros((BANDS, columns), np.uint16)
        np.add.at(cells, (bands, (times[inside] - start) // width), 1)
        data: dict[str, list[Any]] = {
            "image": [cells], "x": [float(start)], "y": [axis.low], "dw": [float(columns * width)], "dh": [axis.high - axis.low],
        }  # fmt: skip
        old = self.source.data
        if any(list(old[name]) != data[name] for name in ("x", "y", "dw", "dh")) or not np.array_equal(old["image"][0], cells):
            self.source.data = data
        self.mapper.high = max(1.5, float(cells.max()))
        names = [f"{written(low, self.shown_unit)} to {written(high, self.shown_unit)}" for low, high in pairwise(edges)]
        if names != self.card.names:
            self.card.names = names
        self._scale_to(axis)

    def _clear(self) -> None:
        self.source.data = {name: [] for name in self.source.data}

    def _legend(self, lines: list[Line]) -> list[list[str]]:  # noqa: ARG002 - colours tell numbers, not series
        return []

    def dress(self) -> None:
        super().dress()
        self.mapper.palette = self._shades()


def _rgb(color: str) -> NDArray[np.float64]:
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], float)


def _column_ms(times: NDArray[np.int64], step_ms: int) -> int:
    """The width of a column, a multiple of the step: as far as samples lie apart, so that none stands between two gaps."""
    usual = float(np.median(np.diff(times))) if times.size > 1 else step_ms
    span = int(times[-1] - times[0])
    return max(1, round(usual / step_ms), -(-span // (_MOST_COLUMNS * step_ms))) * step_ms
