"""Tables of queries as HoloViews plots. HoloViews is loaded when the first plot is made."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from dashapp.contract.durations import parse_ms
from dashapp.contract.gaps import bridged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from dashapp.client.asynchronous import Moment


class Asked(TypedDict, total=False):
    """The arguments of `AsyncClient.query` after the metric's name."""

    last: str | None
    start: Moment | None
    end: Moment | None
    by: str | Sequence[str]
    step: str | None
    tags: Mapping[str, str] | None
    aggregation: str | None
    function: str | None
    max_points: int | None
    fresh: bool


def unit_of(unit: str | None, asked: Asked) -> str:
    """The unit of what is made of a metric's samples."""
    if asked.get("aggregation") == "count":
        return "samples"
    return f"{unit}/s" if unit and asked.get("function") == "rate" else unit or ""


def overlay(table: pd.DataFrame, unit: str) -> Any:
    """A `holoviews.NdOverlay` of one `Curve` a series, over naive times in UTC as Bokeh takes them.

    Its key dimensions are the tags that the table is by. Lines break where nobody measured, as a panel's do.
    """
    hv = import_module("holoviews")
    if not hv.Store.loaded_backends():
        # With its scripts in the notebook, which may have no way to anybody else's.
        hv.extension("bokeh", logo=False, inline=True)
    name = table.attrs["query"]
    time = hv.Dimension("time", label="time (UTC)")
    value = hv.Dimension(name, unit=unit or None)
    index: Any = table.index
    moments = index.tz_localize(None).to_numpy().astype("datetime64[ms]")
    step_ms = parse_ms(table.attrs["meta"]["step"])
    tags = [str(level) for level in table.columns.names if level is not None] or ["series"]
    curves: dict[Any, Any] = {
        column: hv.Curve((moments, bridged(moments.astype(np.int64), table.iloc[:, at].to_numpy(), step_ms)), time, value)
        for at, column in enumerate(table.columns)
    }
    title = name if curves else f"no samples of {name} in this range"
    curves = curves or {tuple("" for _ in tags) if len(tags) > 1 else "": hv.Curve((moments, np.empty(0)), time, value)}
    look = {"responsive": True, "height": 300, "min_width": 400, "tools": ["hover"], "show_grid": True, "title": title}
    # With one series there is nothing to tell apart.
    look |= {"legend_position": "right", "show_legend": len(curves) > 1}
    shown = hv.NdOverlay(curves, kdims=tags, sort=False)
    return shown if hv.Store.current_backend != "bokeh" else shown.opts(hv.opts.NdOverlay(**look), hv.opts.Curve(tools=["hover"]))
