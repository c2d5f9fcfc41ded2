"""The page's twelve plots for peers that draw with plotly, each as its documentation would have it."""

from __future__ import annotations

import time

import numpy as np
import plotly.graph_objects as go

from benchmarks.data import HOSTS, POINTS, STEP_S, newest, value
from dashapp.panels.palette import PALETTES, SERIES

DARK = PALETTES["dark"]
_series: dict[tuple[int, int], tuple[int, np.ndarray]] = {}


def column(panel: int, host: int, last: int) -> np.ndarray:
    """An hour of a series, kept and brought forward."""
    held = _series.get((panel, host))
    if held is None or held[0] != last:
        times = range(last - (POINTS - 1) * STEP_S, last + 1, STEP_S)
        held = last, np.array([value(panel, host, at) for at in times])
        _series[panel, host] = held
    return held[1]


def figure(panel: int) -> go.Figure:
    last = newest(time.time())
    # Unix ms: plotly sends them in binary, a third less than dates.
    times = np.arange(last - (POINTS - 1) * STEP_S, last + 1, STEP_S) * 1000.0
    lines = [
        go.Scatter(x=times, y=column(panel, host, last), mode="lines", name=name, line={"width": 1.5, "color": SERIES[host]})
        for host, name in enumerate(HOSTS)
    ]
    return go.Figure(
        lines,
        layout={
            "margin": {"l": 40, "r": 12, "t": 6, "b": 24},
            "legend": {"orientation": "h"},
            "paper_bgcolor": DARK.surface,
            "plot_bgcolor": DARK.surface,
            "font": {"color": DARK.muted, "size": 11},
            "yaxis": {"rangemode": "tozero", "gridcolor": DARK.grid, "ticksuffix": "%"},
            "xaxis": {"type": "date", "showgrid": False},
        },
    )
