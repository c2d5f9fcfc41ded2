"""Buckets of many selections at once are what the reader answers for each of them."""

from __future__ import annotations

import numpy as np
import pytest

from dashapp.contract.metrics import MetricQuery, Point, Selection
from dashapp.metrics import latest
from tests.metrics.conftest import MINUTE, Store

AGGREGATIONS = ("avg", "sum", "min", "max", "count")


@pytest.mark.parametrize("few", [0, 1_000])
@pytest.mark.parametrize("step", [10_000, 30_000, 10 * MINUTE])
async def test_values_are_the_readers(store: Store, step: int, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "_FEW", few)
    rng = np.random.default_rng(3)
    now = store.clock()
    await store.ingest.write(
        [
            Point(name=name, value=float(rng.normal(50, 20)), tags={"host": f"h{rng.integers(5)}", "dc": "ab"[rng.integers(2)]},
                  timestamp=int(now - rng.integers(0, 40 * MINUTE)))
            for name in ("m", "n") for _ in range(400)
        ]
    )  # fmt: skip
    await store.write("n", (now - MINUTE, 1.0))  # a series without any tag
    selections = [
        Selection(query="m"), Selection(query="n", group_by=["host"]), Selection(query="m", tags={"host": "h1"}),
        Selection(query="m", tags={"dc": "a", "host": "h2"}), Selection(query="n", tags={"dc": "b"}, group_by=["host", "dc"]),
        Selection(query="nothing"), Selection(query="m", tags={"host": "nobody"}),
    ]  # fmt: skip
    start, end = (now - 40 * MINUTE) // step * step, now // step * step
    async with store.database.connection() as connection:
        found = await latest.buckets(connection, selections, step, start, end)
        last = await latest.buckets(connection, selections, step, start, end, newest=True)
    for aggregation in AGGREGATIONS:
        values, newest = found.values(aggregation), last.values(aggregation)
        for number, selection in enumerate(selections):
            asked = selection.model_copy(update={"aggregation": aggregation})
            frame = await store.reader.frame(MetricQuery.over(asked, start, end, step=step))
            groups = np.flatnonzero(found.selections == number)
            assert [latest.tags_of(selection, found.labels[group]) for group in groups] == [one.tags for one in frame.series]
            for group, series in zip(groups, frame.series, strict=True):
                rows, held = found.groups == group, ~np.isnan(series.values)
                assert found.times[rows].tolist() == frame.times[held].tolist()
                np.testing.assert_allclose(values[rows], series.values[held], rtol=1e-9)
                (at,) = np.flatnonzero(last.groups == group)
                assert last.times[at] == frame.times[held][-1]
                np.testing.assert_allclose(newest[at], series.values[held][-1], rtol=1e-9)
