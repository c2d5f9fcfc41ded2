"""A window brought forward tick by tick equals one that is read anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dashapp.contract.frames import Frame, FrameMeta, align
from dashapp.contract.metrics import Selection
from dashapp.live.window import REREAD_MS, LiveQuery, Window

START = 1_700_000_000_000
Sample = tuple[str, int, float]


def answer(samples: dict[tuple[str, int], float], start: int, end: int, step: int) -> Frame:
    """What the read path answers: averages of buckets, from the samples themselves."""
    columns = []
    for host in sorted({host for host, _ in samples}):
        own = sorted((time, value) for (name, time), value in samples.items() if name == host and start <= time < end)
        buckets: dict[int, list[float]] = {}
        for time, value in own:
            buckets.setdefault(time // step * step, []).append(value)
        if buckets:
            times = np.array(sorted(buckets), np.int64)
            values = np.array([sum(buckets[int(time)]) / len(buckets[int(time)]) for time in times])
            columns.append(({"host": host}, times, values, np.array([float(len(buckets[int(time)])) for time in times])))
    return align(columns, FrameMeta("metrics_raw", "raw", step, start, end))


def same(one: Frame, other: Frame) -> None:
    np.testing.assert_array_equal(one.times, other.times)
    key = lambda series: sorted(series.tags.items())  # noqa: E731
    for left, right in zip(sorted(one.series, key=key), sorted(other.series, key=key), strict=True):
        assert left.tags == right.tags
        np.testing.assert_array_equal(left.values, right.values)
        np.testing.assert_array_equal(left.counts, right.counts)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 400),  # seconds to the next tick
            # Samples that commit in between: host, age in seconds at that tick (never older than a tick re-reads), value.
            st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, REREAD_MS // 1000 - 1), st.integers(0, 9)), max_size=4),
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from([1_000, 10_000, 60_000, 300_000]),
    st.sampled_from([300_000, 900_000]),
)  # fmt: skip
def test_ticks_equal_a_reading_of_the_whole(ticks: list[tuple[int, list[Sample]]], step: int, span: int) -> None:
    query = LiveQuery(Selection(query="demo", group_by=["host"]), span, step)
    samples: dict[tuple[str, int], float] = {}
    now, window = START, Window()
    window = window.filled(answer(samples, *query.bounds(now), step), now, 0)
    for seconds, arrived in ticks:
        now += seconds * 1000
        for host, age, value in arrived:
            samples[host, now - age * 1000] = float(value)
        whole = answer(samples, *query.bounds(now), step)
        if window.as_of_ms >= query.cut(now) + step:
            start, end = query.newest(now).start_ms, query.newest(now).end_ms
            window = window.advanced(query, answer(samples, start, end, step), now)
        else:
            window = window.filled(whole, now, 0)
        assert window.frame is not None
        same(window.frame, whole)


def test_queries_are_equal_by_what_they_ask() -> None:
    one = LiveQuery(Selection(query="demo", tags={"a": "1"}), 60_000, 1000)
    assert one == LiveQuery(Selection(query="demo", tags={"a": "1"}), 60_000, 1000)
    assert one != LiveQuery(Selection(query="demo", tags={"a": "2"}), 60_000, 1000)
    assert one != LiveQuery(Selection(query="demo", tags={"a": "1"}), 120_000, 1000)
    assert len({one, LiveQuery(Selection(query="demo", tags={"a": "1"}), 60_000, 1000)}) == 1
