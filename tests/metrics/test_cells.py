"""Cells that come more than once become one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.metrics.cells import Cells, Merge, merged

STEP = 5000
rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.floats(-1e6, 1e6), st.integers(1, 9)), max_size=60)


@pytest.mark.parametrize("merge", ["sum", "min", "max"])
@given(rows=rows)
def test_each_cell_is_there_once(merge: Merge, rows: list[tuple[int, int, float, int]]) -> None:
    columns = np.array(rows, float).reshape(-1, 4).T
    first = 1_700_000_000_000
    cells = merged(
        Cells(columns[0].astype(np.int64), first + columns[1].astype(np.int64) * STEP, columns[2], columns[3]), STEP, merge
    )
    held: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for place, bucket, value, samples in rows:
        held.setdefault((place, first + bucket * STEP), []).append((value, samples))
    found = list(zip(cells.places.tolist(), cells.times.tolist(), strict=True))
    assert sorted(found) == sorted(held)
    assert len(set(found)) == len(found)
    reduce = {"sum": sum, "min": min, "max": max}[merge]
    for cell, value, samples in zip(found, cells.values.tolist(), cells.samples.tolist(), strict=True):
        assert value == pytest.approx(reduce([own for own, _ in held[cell]]), rel=1e-9, abs=1e-6)
        assert samples == sum(own for _, own in held[cell])
