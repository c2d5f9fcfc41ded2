"""Frames to lines: names, one number of a range, gaps."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.contract.frames import Frame, FrameMeta, Series
from dashapp.contract.gaps import GAP, bridged, stretches
from dashapp.contract.metrics import Selection
from dashapp.panels.lines import Line, drawn, lines_of, reduce, with_breaks

NAN = float("nan")


def line(values: list[float], counts: list[float] | None = None, *, step_ms: int = 10_000, aggregation: str = "avg") -> Line:
    times = np.arange(len(values), dtype=np.int64) * step_ms
    counted = np.array(counts if counts is not None else [0.0 if np.isnan(v) else 1.0 for v in values])
    return Line("x", {}, times, np.array(values, float), counted, aggregation, step_ms)  # type: ignore[arg-type]


def test_an_average_is_that_of_the_samples_and_not_of_the_averages() -> None:
    assert reduce(line([1.0, 10.0], [9, 1]), "avg") == pytest.approx(1.9)


@pytest.mark.parametrize(("how", "value"), [("last", 2.0), ("min", 1.0), ("max", 5.0), ("sum", 8.0)])
def test_reductions_skip_what_was_not_measured(how: str, value: float) -> None:
    assert reduce(line([NAN, 1.0, 5.0, 2.0, NAN]), how) == value  # type: ignore[arg-type]
    assert reduce(line([NAN, NAN]), how) is None  # type: ignore[arg-type]


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    every_second = [float(i) if i % 2 == 0 else NAN for i in range(9)]
    np.testing.assert_array_equal(drawn(line(every_second)), np.arange(9.0))
    long = [0.0, 1.0, 2.0, *[NAN] * 6, 9.0, 10.0, 11.0]
    np.testing.assert_array_equal(drawn(line(long)), long)


@given(st.lists(st.one_of(st.just(NAN), st.floats(-10, 10)), max_size=30))
def test_samples_themselves_are_always_drawn_as_they_are(values: list[float]) -> None:
    got, held = drawn(line(values)), ~np.isnan(np.array(values, float))
    np.testing.assert_array_equal(got[held], np.array(values, float)[held])


@given(st.lists(st.tuples(st.integers(1, 9), st.just(NAN) | st.floats(-10, 10)), max_size=30))
def test_stretches_end_where_lines_break(rows: list[tuple[int, float]]) -> None:
    times = np.cumsum(np.array([distance for distance, _ in rows], np.int64)) * 10_000
    values = np.array([value for _, value in rows], float)
    parts = stretches(times, values, 10_000)
    held = np.flatnonzero(~np.isnan(values))
    assert [int(at) for part in parts for at in part] == held.tolist()
    distances = np.diff(times[held]).tolist()
    usual = statistics.median(distances) if distances else 0
    # The middle one of the three before and of the three after, or what is usual where there are fewer.
    padded = [usual] * 3 + distances + [usual] * 3
    around = [
        max(10_000, sorted(padded[at : at + 3])[1], sorted(padded[at + 4 : at + 7])[1]) for at in range(len(distances))
    ]  # fmt: skip
    ends = {int(part[-1]) for part in parts[:-1]}
    assert [distance > GAP * near for distance, near in zip(distances, around, strict=True)] == [
        int(at) in ends for at in held[:-1]
    ]
    for part in parts:
        # What is drawn between its rows is a line.
        assert not np.isnan(bridged(times, values, 10_000)[part[0] : part[-1] + 1]).any()


def test_samples_that_come_less_often_from_now_on_are_no_gaps() -> None:
    """As the agent's, which begins with one a second."""
    moments = [*range(60), *range(60, 180, 10)]
    values = [1.0 if second in moments else NAN for second in range(171)]
    assert not np.isnan(drawn(line(values, step_ms=1000))).any()
    times = np.array(moments, np.int64) * 1000
    assert with_breaks(times, [line([1.0], step_ms=1000)]).tolist() == times.tolist()


def test_one_sample_in_an_outage_stands_alone() -> None:
    moments = [*range(0, 60, 10), 300, *range(600, 660, 10)]
    times = np.array(moments, np.int64) * 1000
    assert [part.size for part in stretches(times, np.ones(times.size), 10_000)] == [6, 1, 6]


def test_a_gap_in_the_times_breaks_the_line() -> None:
    times = np.array([0, 10, 20, 200, 210], np.int64) * 1000
    broken = with_breaks(times, [line([1.0])])
    assert broken.tolist() == [0, 10_000, 20_000, 30_000, 200_000, 210_000]


def _frame(*tags: dict[str, str]) -> Frame:
    times = np.array([0], np.int64)
    return Frame(times, [Series(one, np.ones(1), np.ones(1)) for one in tags], FrameMeta("metrics_raw", "raw", 1000, 0, 1000))


def test_names() -> None:
    cpu, load = Selection(query="cpu", group_by=["core"]), Selection(query="load")
    cores = _frame({"core": "10"}, {"core": "9"})
    assert [one.name for one in lines_of([cores], [(cpu, None)])] == ["9", "10"]
    assert [one.name for one in lines_of([cores], [(cpu, "core {core}")])] == ["core 9", "core 10"]
    assert [one.name for one in lines_of([_frame({})], [(load, None)])] == ["load"]
    assert [one.name for one in lines_of([cores, _frame({})], [(cpu, None), (load, None)])] == ["cpu 9", "cpu 10", "load"]
    assert [one.name for one in lines_of([_frame({})], [(load, "{nothing}")])] == ["load"]


def test_what_is_missing_may_be_crossed_or_zero() -> None:
    long = line([0.0, 1.0, 2.0, *[NAN] * 6, 9.0, 10.0, 11.0])
    np.testing.assert_allclose(drawn(long, "connect"), np.arange(12.0))
    np.testing.assert_array_equal(drawn(long, "zero"), [0, 1, 2, *[0] * 6, 9, 10, 11])
    # Before the first sample and after the last there is nothing to cross.
    np.testing.assert_array_equal(drawn(line([NAN, 1.0, 2.0, NAN]), "connect"), [NAN, 1, 2, NAN])


def test_zeros_end_where_samples_begin_again() -> None:
    times = np.array([0, 10, 20, 200, 210], np.int64) * 1000
    broken = with_breaks(times, [line([1.0])], both_ends=True)
    assert broken.tolist() == [0, 10_000, 20_000, 30_000, 190_000, 200_000, 210_000]
