"""Explore's lines by HoloViews: the numbers, names and looks of the panel's own."""

from __future__ import annotations

import gc
from typing import Any

import holoviews as hv
import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import Line, Scatter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dashapp.panels.curves import curves
from dashapp.panels.line import LinePanel
from tests.panels.test_panels import shown


def drawn(rows: dict[str, list[float]], *, samples: bool = False, **options: Any) -> tuple[LinePanel, Any]:
    panel = shown("line", rows, **options)
    assert isinstance(panel, LinePanel)
    return panel, curves(panel, samples=samples)


_rows = st.integers(2, 40).flatmap(
    lambda count: st.lists(
        arrays.arrays(float, count, elements=st.floats(-1e9, 1e9) | st.just(np.nan)).filter(lambda one: not np.isnan(one).all()),
        min_size=1, max_size=4,
    )
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(_rows, st.sampled_from(["gap", "connect", "zero"]), st.booleans())
def test_every_column_is_the_panels(rows: list[np.ndarray], missing: str, samples: bool) -> None:
    panel, figure = drawn({str(at): list(row) for at, row in enumerate(rows)}, samples=samples, nullHandling=missing)
    own = panel.source.data
    letter = "y" if "y0" in own else "v"
    seen = []
    for renderer in figure.renderers:
        data, at = renderer.data_source.data, int(renderer.name[1:])
        column = f"{'v' if isinstance(renderer.glyph, Scatter) else letter}{at}"
        assert (renderer.glyph.x, renderer.glyph.y) == ("t", column)
        np.testing.assert_array_equal(data["t"], own["t"])
        for name in (column, f"v{at}"):
            np.testing.assert_array_equal(data[name], own[name])
        seen.append((at, type(renderer.glyph)))
    kinds = [Line, Scatter] if samples else [Line]
    assert seen == [(at, kind) for at in range(len(panel.lines)) for kind in kinds]


def test_it_looks_as_the_panel_does() -> None:
    panel, figure = drawn({"a": [1.0, 2.0], "b": [3.0, 4.0]}, color="#123456", thresholds={"warning": 3})
    own = panel.plot
    assert [one.glyph.line_color for one in figure.renderers] == [one.glyph.line_color for one in own.renderers]
    assert [one.glyph.line_width for one in figure.renderers] == [one.glyph.line_width for one in own.renderers]
    for name in ("x_range", "y_range", "below", "left", "center", "sizing_mode", "toolbar_location", "min_border_right", "title"):
        assert getattr(figure, name) == getattr(own, name), name
    assert figure.toolbar.tools == []


def test_it_goes_to_a_page_as_a_document() -> None:
    panel, figure = drawn({"a": [1.0, 2.0]}, samples=True)
    panel.card.plot = figure
    document = Document()
    document.add_root(panel.card)
    document.to_json(deferred=False)
    types = {model.__class__.__name__ for model in document.models}
    assert not types & {"CustomJS", "HoverTool", "WheelZoomTool"}, "a page evaluates no text, and has its own hover and zoom"


def test_plots_that_are_gone_leave_nothing_behind() -> None:
    def kept() -> int:
        return len(hv.Store._custom_options["bokeh"])

    drawn({"a": [1.0, 2.0]})
    gc.collect()
    before = kept()
    for _ in range(20):
        drawn({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    gc.collect()
    assert kept() <= before + 2


@pytest.mark.parametrize("count", [1, 40])
def test_any_number_of_series(count: int) -> None:
    panel, figure = drawn({f"h{at}": [1.0, float(at)] for at in range(count)})
    assert len(figure.renderers) == len(panel.lines) == count
