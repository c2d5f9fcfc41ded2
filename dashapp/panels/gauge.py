"""A number on an arc of 216°, its thresholds as a ring outside."""

from __future__ import annotations

from math import pi

from bokeh.models import AnnularWedge, ColumnDataSource, Plot, Range1d

from dashapp.panels.base import Panel, renderer
from dashapp.panels.lines import Line, reduce
from dashapp.panels.palette import Level
from dashapp.panels.units import axis_for, fixed_end, share
from dashapp.panels.units import parts as parts_of

_START, _SPAN = pi * 1.1, pi * 1.2
#: Width by height of the drawing; the page keeps the plot at this ratio so that the arc is round.
ASPECT = 2.24 / 1.52


class GaugePanel(Panel):
    kind = "gauge"
    label, about = "Gauge", "One number on an arc between two ends."
    sketch = "M10 24a15 15 0 1 1 28 0M24 20l6-7"
    options = ("unit", "decimals", "calculation", "min", "max", "color", "thresholds.warning", "thresholds.critical", "step")
    size = (3, 3)

    plot: Plot

    def _build(self) -> Plot:
        self._level: Level = "plain"
        self._value: float | None = None
        self._high = 1.0
        self.source = ColumnDataSource(data={"from": [], "to": []})
        self.arc = self._wedge("from", "to", 0.78, 1.0, self._ink)
        track = self._wedge({"value": _START}, {"value": _START - _SPAN}, 0.78, 1.0, self.parts.palette.track)
        self.track = track
        self.ring = ColumnDataSource(data={"from": [], "to": [], "color": []})
        plot = self.parts.plot(x_range=Range1d(-1.12, 1.12), y_range=Range1d(-0.40, 1.12))
        plot.renderers = [
            renderer(ColumnDataSource(data={"x": [0]}), track),
            renderer(self.ring, self._wedge("from", "to", 1.04, 1.09, {"field": "color"})),
            renderer(self.source, self.arc),
        ]
        return plot

    @staticmethod
    def _wedge(start: object, end: object, inner: float, outer: float, color: object) -> AnnularWedge:
        return AnnularWedge(
            x={"value": 0}, y={"value": 0}, inner_radius={"value": inner}, outer_radius={"value": outer},
            start_angle=start, end_angle=end, direction="clock", fill_color=color, line_color=None,
        )  # fmt: skip

    @property
    def _ink(self) -> str:
        return self.color if self._level == "plain" and self.color else self.parts.palette.level(self._level)

    def _ends(self) -> tuple[float, float]:
        low = 0.0 if self.min is None else float(self.min)
        if (end := fixed_end(self.shown_unit, self.max)) is not None:
            return low, end
        # Without an end of its own a gauge grows in round steps and never shrinks under a viewer.
        biggest = [value for value in (self._value, self.warning, self.critical) if value is not None]
        self._high = max(self._high, axis_for(low, max(biggest, default=1.0), self.shown_unit).high)
        return low, self._high

    def _angle(self, value: float) -> float:
        low, high = self._ends()
        return _START - _SPAN * share(value, low, high)

    def _draw(self, lines: list[Line]) -> None:
        self._value = reduce(lines[0], self.calculation)
        self._level = self.level(self._value)
        number, suffix = parts_of(self._value, self.shown_unit, self.decimals)
        self.card.headline = {"number": number, "suffix": suffix, "level": self._level}
        self.dress()
        data = {"from": [_START], "to": [self._angle(self._value)] if self._value is not None else [_START]}
        if self.source.data != data:
            self.source.data = data

    def _clear(self) -> None:
        self.source.data = {"from": [], "to": []}

    def dress(self) -> None:
        palette = self.parts.palette
        self.arc.fill_color, self.track.fill_color = self._ink, palette.track
        stops = sorted((value, palette.level(name)) for name, value in self.thresholds)
        _, high = self._ends()
        ring = {
            "from": [self._angle(value) for value, _ in stops],
            "to": [self._angle(value) for value, _ in stops[1:]] + [self._angle(high)] * bool(stops),
            "color": [color for _, color in stops],
        }
        if self.ring.data != ring:
            self.ring.data = ring
