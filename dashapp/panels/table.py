"""One row a series: its figures, the first with a bar in its cell. The page draws the table and sorts it."""

from __future__ import annotations

from dashapp.panels.base import Panel
from dashapp.panels.lines import Line, reduce
from dashapp.panels.units import axis_for, written


class TablePanel(Panel):
    kind = "table"
    label, about = "Table", "One row a series with its figures, sortable."
    sketch = "M3 4h42M3 10h42M3 17h42M3 24h42M16 4v20M31 4v20"
    options = ("unit", "decimals", "min", "max", "limit", "thresholds.warning", "thresholds.critical", "legend", "step")
    size = (6, 4)

    def _build(self) -> None:
        return None

    def _draw(self, lines: list[Line]) -> None:
        rows = [(line.name, [reduce(line, how) for how in self.legend]) for line in lines]
        firsts = [figures[0] for _, figures in rows if figures and figures[0] is not None]
        low, high = self._ends(max(firsts, default=0.0))
        table = {
            "columns": list(self.legend),
            # Name, level, the bar's length from 0 to 1, the figures to sort by, and as they are written.
            "rows": [
                [
                    name,
                    self.level(figures[0]) if figures else "plain",
                    _share(figures[0], low, high) if figures else 0.0,
                    figures,
                    [written(figure, self.shown_unit, self.decimals) for figure in figures],
                ]
                for name, figures in rows
            ],
        }
        if table != self.card.table:
            self.card.table = table

    def _ends(self, biggest: float) -> tuple[float, float]:
        low = 0.0 if self.min is None else float(self.min)
        if self.max is not None:
            return low, float(self.max)
        whole = {"percent": 100.0, "ratio": 1.0}.get(self.shown_unit)
        return low, whole if whole is not None else axis_for(low, biggest, self.shown_unit).high

    def _clear(self) -> None:
        self.card.table = {}


def _share(value: float | None, low: float, high: float) -> float:
    return 0.0 if value is None else round(min(1.0, max(0.0, (value - low) / (high - low))), 4)
