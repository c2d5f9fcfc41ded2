"""One row a series: its figures, the first with a bar in its cell. The page draws the table and sorts it."""

from __future__ import annotations

from dashapp.panels.base import Panel
from dashapp.panels.lines import Line, reduce
from dashapp.panels.units import bar_ends, share, written


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
        low, high = bar_ends(max(firsts, default=0.0), self.shown_unit, minimum=self.min, maximum=self.max)
        table = {
            "columns": list(self.legend),
            # Name, level, the bar's length from 0 to 1, the figures to sort by, and as they are written.
            "rows": [
                [
                    name,
                    self.level(figures[0]) if figures else "plain",
                    round(share(figures[0], low, high), 4) if figures and figures[0] is not None else 0.0,
                    figures,
                    [written(figure, self.shown_unit, self.decimals) for figure in figures],
                ]
                for name, figures in rows
            ],
        }
        if table != self.card.table:
            self.card.table = table

    def _clear(self) -> None:
        self.card.table = {}
