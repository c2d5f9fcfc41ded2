"""The same page in Dash, as its documentation would have it: figures made by the layout function at each load, every
asset served locally, debug off, waitress in front. Its numbers come out of memory: no database is asked.

``python -m benchmarks.dash_page`` prints its address.
"""

from __future__ import annotations

from dash import Dash, dcc, html
from waitress.server import create_server

from benchmarks.data import HEIGHT, PANELS, ROW_PX, WIDTH
from benchmarks.figures import DARK, figure


def layout() -> html.Div:
    cells = [
        html.Div(
            [html.H2(f"Panel {panel + 1}", style={"font": "600 13px sans-serif", "margin": "8px", "height": "20px"}),
             dcc.Graph(figure=figure(panel), style={"height": f"{HEIGHT * ROW_PX - 44}px"})],
            style={"gridColumn": f"span {WIDTH}", "background": DARK.surface},
        )
        for panel in range(PANELS)
    ]  # fmt: skip
    return html.Div(cells, style={"display": "grid", "gridTemplateColumns": "repeat(12, 1fr)", "gap": "8px", "color": DARK.text})


def main() -> None:
    # Without the last option Dash would put the whole layout into the page once more, to check callbacks against it.
    app = Dash("bench", serve_locally=True, assets_ignore=".*", update_title="", suppress_callback_exceptions=True)
    app.layout = layout
    server = create_server(app.server, host="127.0.0.1", port=0, threads=4)
    print(f"http://127.0.0.1:{server.effective_port}/", flush=True)
    server.run()


if __name__ == "__main__":
    main()
