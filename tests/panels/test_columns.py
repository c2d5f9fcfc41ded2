"""Bringing a source to new columns: always exact, and small where little changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, ColumnsPatchedEvent, ColumnsStreamedEvent
from bokeh.models import ColumnDataSource
from hypothesis import given
from hypothesis import strategies as st

from dashapp.panels.columns import Column, bring


class Client:
    """What a browser makes of the messages: its own copy of the columns, changed only by them."""

    def __init__(self, source: ColumnDataSource) -> None:
        self.columns: dict[str, list[float]] = {name: list(column) for name, column in source.data.items()}
        self.cells = 0
        document = Document()
        document.add_root(source)
        document.on_change(self._on_change)

    def _on_change(self, event: Any) -> None:
        if isinstance(event, ColumnsStreamedEvent):
            for name, more in event.data.items():
                self.cells += len(more)
                self.columns[name] = (self.columns[name] + list(more))[-event.rollover :]
        elif isinstance(event, ColumnsPatchedEvent):
            for name, changes in event.patches.items():
                for row, value in changes:
                    self.cells += 1
                    self.columns[name][row] = value
        elif isinstance(event, ColumnDataChangedEvent):
            self.columns = {name: list(column) for name, column in event.model.data.items()}
            self.cells += sum(map(len, self.columns.values()))


_cell = st.one_of(st.just(float("nan")), st.integers(0, 3).map(float))


@st.composite
def _table(draw: st.DrawFn) -> dict[str, Column]:
    times = sorted(draw(st.sets(st.integers(0, 12), max_size=10)))
    names = draw(st.sampled_from([("v0",), ("v0", "y0"), ("v0", "v1")]))
    return {
        "t": np.array(times, float),
        **{name: np.array(draw(st.lists(_cell, min_size=len(times), max_size=len(times)))) for name in names},
    }


@given(st.lists(_table(), min_size=1, max_size=6))
def test_the_browser_holds_exactly_what_was_meant(tables: list[dict[str, Column]]) -> None:
    source = ColumnDataSource(data={"t": np.empty(0)})
    client = Client(source)
    for table in tables:
        bring(source, table)
        assert set(client.columns) == set(source.data) == set(table)
        # Rows that have left may stay until the next one comes; nothing else may.
        times = np.asarray(source.data["t"], float)
        left = int(np.searchsorted(times, table["t"][0])) if len(table["t"]) else 0
        for name, column in table.items():
            np.testing.assert_array_equal(np.asarray(source.data[name], float)[left:], column)
            np.testing.assert_array_equal(np.asarray(client.columns[name], float), np.asarray(source.data[name], float))


def test_a_tick_costs_a_few_cells_whatever_the_range() -> None:
    times = np.arange(0, 3600, 10, dtype=float)
    source = ColumnDataSource(data={"t": np.empty(0)})
    client = Client(source)
    assert bring(source, {"t": times, "v0": times}) == "replaced"
    client.cells = 0
    later = {"t": times + 10, "v0": times + 10}
    later["v0"][-2] = 7.0
    assert bring(source, later) == "live"
    assert client.cells == 3
    assert bring(source, later) == "same"
    assert client.cells == 3
    # A row leaves before one comes, then one comes: it takes the old one with it.
    assert bring(source, {name: column[1:] for name, column in later.items()}) == "same"
    assert client.cells == 3
    assert bring(source, {"t": times + 20, "v0": np.append(later["v0"][1:], 1.0)}) == "live"
    assert client.cells == 5
    assert client.columns["t"] == (times + 20).tolist()
