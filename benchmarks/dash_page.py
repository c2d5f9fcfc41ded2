"""The same page in Dash, as its documentation would have it: figures made by the layout function at each load, every
asset served locally, debug off, waitress in front. Its numbers come out of memory: no database is asked.

``python -m benchmarks.dash_page`` prints its address.
"""

from __future__ import annotations

import time

import numpy as np
import plotly.graph_objects as go
from dash import Dash, dcc, html
from waitress.server import create_server

from benchmarks.data import HEIGHT, HOSTS, PANELS, POINTS, ROW_PX, STEP_S, WIDTH, newest, value
from dashapp.panels.palette import PALETTES, SERIES

_DARK = PALETTES["dark"]
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
            "paper_bgcolor": _DARK.surface,
            "plot_bgcolor": _DARK.surface,
            "font": {"color": _DARK.muted, "size": 11},
            "yaxis": {"rangemode": "tozero", "gridcolor": _DARK.grid, "ticksuffix": "%"},
            "xaxis": {"type": "date", "showgrid": False},
        },
    )


def layout() -> html.Div:
    cells = [
        html.Div(
            [html.H2(f"Panel {panel + 1}", style={"font": "600 13px sans-serif", "margin": "8px", "height": "20px"}),
             dcc.Graph(figure=figure(panel), style={"height": f"{HEIGHT * ROW_PX - 44}px"})],
            style={"gridColumn": f"span {WIDTH}", "background": _DARK.surface},
        )
        for panel in range(PANELS)
    ]  # fmt: skip
    return html.Div(cells, style={"display": "grid", "gridTemplateColumns": "repeat(12, 1fr)", "gap": "8px", "color": _DARK.text})


def main() -> None:
    # Without the last option Dash would put the whole layout into the page once more, to check callbacks against it.
    app = Dash("bench", serve_locally=True, assets_ignore=".*", update_title="", suppress_callback_exceptions=True)
    app.layout = layout
    server = create_server(app.server, host="127.0.0.1", port=0, threads=4)
    print(f"http://127.0.0.1:{server.effective_port}/", flush=True)
    server.run()


if __name__ == "__main__":
    main()
