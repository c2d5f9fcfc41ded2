"""Which relation answers which part of a range."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.metrics.routing import BY_HOUR, BY_MINUTE, INCREASES, LEVELS, NICE_STEPS, RAW, Level, Part, default_step, plan, reach
from tests.metrics.conftest import DAY, HOUR, MINUTE

EVERYTHING = {"raw": 0, "1min": 0, "1hour": 0}
#: Raw from day 100, minutes from day 70, hours from day 10.
AGED = {"raw": 100 * DAY, "1min": 70 * DAY, "1hour": 10 * DAY}


@pytest.mark.parametrize(
    ("span", "max_points", "step"),
    [
        (15 * MINUTE, 1000, 1_000), (HOUR, 1000, 5_000), (HOUR, 100, MINUTE), (HOUR + 1, 1000, MINUTE), (6 * HOUR, 1000, MINUTE),
        (DAY, 1000, 2 * MINUTE), (DAY + 1, 1000, HOUR), (7 * DAY, 1000, HOUR), (30 * DAY, 1000, HOUR), (365 * DAY, 1000, 12 * HOUR),
        (365 * DAY, 100, 5 * DAY), (1000, 1, 1_000), (40_000 * DAY, 1, 40_000 * DAY),
    ],
)  # fmt: skip
def test_the_default_step_follows_range_and_points(span: int, max_points: int, step: int) -> None:
    assert default_step(0, span, max_points) == step
    assert span / step <= max_points


def test_aligned_ranges_come_from_the_coarsest_relation_that_divides_the_step() -> None:
    for step, level in (
        (HOUR, BY_HOUR),
        (DAY, BY_HOUR),
        (5 * MINUTE, BY_MINUTE),
        (90 * MINUTE, BY_MINUTE),
        (90_000, RAW),
        (1000, RAW),
    ):
        assert plan(0, DAY, step, EVERYTHING).parts == (Part(level, 0, DAY),)


def test_unaligned_edges_come_from_finer_relations() -> None:
    found = plan(HOUR - 90_500, 3 * HOUR + 61_001, HOUR, EVERYTHING)
    assert found.parts == (
        Part(RAW, HOUR - 90_500, HOUR - MINUTE), Part(BY_MINUTE, HOUR - MINUTE, HOUR), Part(BY_HOUR, HOUR, 3 * HOUR),
        Part(BY_MINUTE, 3 * HOUR, 3 * HOUR + MINUTE), Part(RAW, 3 * HOUR + MINUTE, 3 * HOUR + 61_001),
    )  # fmt: skip
    assert (found.covered_start_ms, found.covered_end_ms) == (HOUR - 90_500, 3 * HOUR + 61_001)
    assert [level.relation for level in found.levels] == ["metrics_1hour", "metrics_1min", "metrics_raw"]


def test_where_only_a_coarser_level_is_left_the_step_widens() -> None:
    assert plan(99 * DAY, 101 * DAY, 10_000, AGED).step_ms == MINUTE
    assert plan(99 * DAY, 101 * DAY, 90_000, AGED).step_ms == 2 * MINUTE
    assert plan(69 * DAY, 101 * DAY, 5 * MINUTE, AGED).step_ms == HOUR
    assert plan(69 * DAY, 101 * DAY, 90 * MINUTE, AGED).step_ms == 2 * HOUR
    assert plan(100 * DAY, 101 * DAY, 10_000, AGED).step_ms == 10_000


def test_an_edge_that_nothing_holds_exactly_takes_its_bucket_with_it() -> None:
    found = plan(80 * DAY + 30_000, 80 * DAY + HOUR + 30_000, 5 * MINUTE, AGED)
    assert found.parts == (Part(BY_MINUTE, 80 * DAY + 5 * MINUTE, 80 * DAY + HOUR),)
    # An edge in the middle of a bucket, but on a whole minute, is exact.
    found = plan(80 * DAY + 2 * MINUTE, 80 * DAY + 58 * MINUTE, 5 * MINUTE, AGED)
    assert (found.covered_start_ms, found.covered_end_ms) == (80 * DAY + 2 * MINUTE, 80 * DAY + 58 * MINUTE)


def test_what_is_dropped_is_not_covered() -> None:
    found = plan(5 * DAY, 20 * DAY, 12 * HOUR, AGED)
    assert (found.covered_start_ms, found.covered_end_ms) == (10 * DAY, 20 * DAY)
    found = plan(5 * DAY, 20 * DAY, 7 * DAY, AGED)
    assert (found.covered_start_ms, found.covered_end_ms) == (14 * DAY, 20 * DAY)
    assert plan(DAY, 9 * DAY, HOUR, AGED).parts == ()
    assert plan(DAY, 9 * DAY, HOUR, AGED).buckets == 0


moments = st.one_of(
    st.integers(0, 120 * DAY), st.integers(0, 120 * 24).map(lambda hour: hour * HOUR),
    st.tuples(st.sampled_from([10, 70, 100]), st.integers(-3 * HOUR, 3 * HOUR)).map(lambda pair: pair[0] * DAY + pair[1]),
)  # fmt: skip


@given(
    moments, st.one_of(moments, st.integers(1, 5 * HOUR).map(lambda ms: -ms)), st.sampled_from([*NICE_STEPS, 90_000, 90 * MINUTE])
)
def test_any_plan_is_whole_exact_and_as_wide_as_it_can_be(start: int, other: int, step: int) -> None:
    end = start - other if other < 0 else other
    start, end = min(start, end), max(start, end) + 1
    found = plan(start, end, step, AGED)
    assert found.step_ms >= step
    assert found.step_ms == step or start < AGED["raw"]
    at = found.covered_start_ms
    for part in found.parts:
        assert part.start_ms == at < part.end_ms
        assert part.start_ms % part.level.width_ms == part.end_ms % part.level.width_ms == 0
        assert part.start_ms >= AGED[part.level.stored]
        assert found.step_ms % part.level.width_ms == 0
        at = part.end_ms
    assert at == found.covered_end_ms
    if not found.parts:
        return
    # Nothing is cut off but the bucket that holds an edge, or what isn't held.
    held = max(start, AGED["1hour"])
    assert start <= found.covered_start_ms < held + found.step_ms
    assert end - found.step_ms < found.covered_end_ms <= end
    assert found.covered_start_ms in (start,) or found.covered_start_ms % found.step_ms == 0
    assert found.covered_end_ms in (end,) or found.covered_end_ms % found.step_ms == 0
    # Nothing that raw holds is cut off at all.
    assert found.covered_start_ms == start or start < AGED["raw"]
    assert found.covered_end_ms == end or end < AGED["raw"]


@pytest.mark.parametrize(
    ("step", "far"),
    [
        (1000, 301_000), (7000, 301_000), (30_000, 330_000), (MINUTE, 6 * MINUTE), (90_000, 360_000), (5 * MINUTE, 10 * MINUTE),
        (7 * MINUTE, 7 * MINUTE), (HOUR, HOUR), (DAY, DAY),
    ],
)  # fmt: skip
def test_the_sample_before_lies_within_five_minutes_and_a_step(step: int, far: int) -> None:
    assert reach(step) == far
    assert step <= far <= 5 * MINUTE + step
    assert far % step == 0


def test_what_samples_are_compared_with_is_read_before_the_range() -> None:
    _, minutes, hours = INCREASES
    made = plan(DAY, 2 * DAY, HOUR, EVERYTHING, INCREASES, compared=True)
    assert made.parts == (Part(hours, DAY - HOUR, 2 * DAY),)
    assert (made.covered_start_ms, made.levels) == (DAY, [hours])
    made = plan(DAY + 90_500, DAY + 10 * MINUTE, MINUTE, EVERYTHING, INCREASES, compared=True)
    assert made.parts == (
        Part(minutes, DAY - 5 * MINUTE, DAY + MINUTE), Part(RAW, DAY + MINUTE, DAY + 2 * MINUTE),
        Part(minutes, DAY + 2 * MINUTE, DAY + 10 * MINUTE),
    )  # fmt: skip
    assert made.covered_start_ms == DAY + 90_500
    # Nothing lies before the epoch.
    assert plan(0, HOUR, 1000, EVERYTHING, INCREASES, compared=True).parts == (Part(RAW, 0, HOUR),)


def test_a_range_is_covered_from_where_on_the_samples_before_are_held() -> None:
    made = plan(9 * DAY, 12 * DAY, 2 * HOUR, AGED, INCREASES, compared=True)
    assert (made.covered_start_ms, made.parts[0].start_ms) == (10 * DAY + 2 * HOUR, 10 * DAY)
    made = plan(99 * DAY, 101 * DAY, 10_000, AGED, (RAW,), compared=True)
    assert (made.step_ms, made.covered_start_ms, made.parts[0].start_ms) == (10_000, 100 * DAY + 310_000, 100 * DAY)
    assert plan(90 * DAY, 99 * DAY, HOUR, AGED, (RAW,), compared=True).parts == ()


@given(
    start=st.integers(0, 130 * DAY), span=st.integers(1, 3 * DAY), step=st.sampled_from(NICE_STEPS[:20]),
    levels=st.sampled_from([LEVELS, INCREASES, (RAW,)]),
)  # fmt: skip
def test_compared_parts_tile_from_before_the_range(start: int, span: int, step: int, levels: tuple[Level, ...]) -> None:
    made = plan(start, start + span, step, AGED, levels, compared=True)
    if not made.parts:
        return
    assert len(made.parts) <= 9
    assert all(one.end_ms == next_one.start_ms for one, next_one in itertools.pairwise(made.parts))
    first = made.covered_start_ms // made.step_ms * made.step_ms - reach(made.step_ms)
    assert made.parts[0].start_ms == first
    assert made.parts[-1].end_ms == made.covered_end_ms
    for part in made.parts:
        assert part.start_ms >= AGED[part.level.stored]
        assert part.start_ms % part.level.width_ms == part.end_ms % part.level.width_ms == 0
