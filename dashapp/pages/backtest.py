"""A backtest as a plot: the metric, the threshold, and bands where the rule would have been pending and firing."""

from __future__ import annotations

import numpy as np
from bokeh.models import BoxAnnotation

from dashapp.contract.alerts import Backtest, RuleDefinition
from dashapp.contract.durations import parse_ms
from dashapp.contract.frames import Frame, FrameMeta, Series
from dashapp.contract.timerange import to_ms
from dashapp.live.drawing import Drawing
from dashapp.panels.card import Cards
from dashapp.panels.line import LinePanel
from dashapp.panels.palette import Theme
from dashapp.panels.parts import Parts

#: The id of the frame that it is drawn into.
PANEL = "preview"
#: Bands that are drawn; more can't be told apart.
_MOST_BANDS = 400


def picture(rule: RuleDefinition, answer: Backtest, theme: Theme) -> bytes:
    """As `Drawing.picture`, of one panel, whose id is `PANEL`."""
    parts = Parts(theme)
    critical = rule.severity == "critical"
    panel = LinePanel(
        parts, PANEL, selections=[(rule.selection, None)], title="What it would have done", show_legend=False,
        warning=None if critical else rule.threshold, critical=rule.threshold if critical else None,
    )  # fmt: skip
    start, end = to_ms(answer.start), to_ms(answer.end)
    parts.slide(start, end)
    panel.update([_frame(answer, start, end)], start, end, live=False)
    bands = [_band(period.state, to_ms(period.start), to_ms(period.end) if period.end else end, parts) for period in answer.periods]
    if answer.judged_from is None or to_ms(answer.judged_from) > start:
        bands.append(_unknown(start, end if answer.judged_from is None else to_ms(answer.judged_from), parts))
    # Behind the lines, in front of the grid.
    panel.plot.center = [*panel.plot.center, *bands[:_MOST_BANDS]]
    cards = Cards(cards=[panel.card], range_ms=[float(start), float(end)])
    drawing = Drawing(cards)
    drawing.begin()
    return drawing.picture()


def _frame(answer: Backtest, start: int, end: int) -> Frame:
    series = []
    for line in answer.series:
        values = np.array([np.nan if value is None else value for value in line.values], np.float64)
        series.append(Series(line.tags, values, np.where(np.isnan(values), 0.0, 1.0)))
    meta = FrameMeta("", "", parse_ms(answer.step), start, end)
    return Frame(np.array(answer.times, np.int64), series, meta)


def _band(state: str, start: int, end: int, parts: Parts) -> BoxAnnotation:
    color, alpha = (parts.palette.critical, 0.16) if state == "firing" else (parts.palette.warning, 0.10)
    return BoxAnnotation(left=float(start), right=float(end), fill_color=color, fill_alpha=alpha, line_color=None, level="underlay")


def _unknown(start: int, end: int, parts: Parts) -> BoxAnnotation:
    return BoxAnnotation(
        left=float(start), right=float(end), fill_color=parts.palette.muted, fill_alpha=0.08, line_color=None, level="underlay"
    )
