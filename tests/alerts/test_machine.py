"""The state machine: each cell of the table in docs/alerts.md, and random histories beside a plain model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.alerts.machine import NODATA_MS, Change, Policy, State, fresh, frozen, steady, step

TICK = 10_000
HOUR = 3_600_000
FIVE = 300_000


def state(held: str, *, since: int = 0, pending: int | None = None, seen: str = "holds", seen_since: int = 0) -> State:
    return State(held, since, pending, seen, seen_since)  # type: ignore[arg-type]


def pending(since: int = 0, seen: str = "holds", seen_since: int = 0) -> State:
    return state("pending", since=since, pending=since, seen=seen, seen_since=seen_since)


FIRING = state("firing")
KEEP, OK, ALERT = (Policy(FIVE, policy) for policy in ("keep", "ok", "alert"))
FIRED, RESOLVED, NODATA = Change("firing"), Change("resolved"), Change("resolved", "nodata")

# Before, what is seen, policy, tick → held, since, pending since, change.
TABLE: list[tuple[str, State, str, Policy, int, tuple[str, int, int | None], Change | None]] = [
    ("holds, ok", state("ok", seen="fails"), "holds", KEEP, 50, ("pending", 50, 50), None),
    ("holds, ok, duration 0", state("ok", seen="fails"), "holds", Policy(0, "keep"), 50, ("firing", 50, None), FIRED),
    ("holds, pending, not long enough", pending(), "holds", KEEP, FIVE - 1, ("pending", 0, 0), None),
    ("holds, pending, long enough", pending(), "holds", KEEP, FIVE, ("firing", FIVE, None), FIRED),
    ("holds, firing", FIRING, "holds", KEEP, FIVE, ("firing", 0, None), None),
    ("fails, ok", state("ok", seen="fails"), "fails", KEEP, 50, ("ok", 0, None), None),
    ("fails, pending", pending(), "fails", KEEP, 50, ("ok", 50, None), None),
    ("fails, firing", FIRING, "fails", KEEP, 50, ("ok", 50, None), RESOLVED),
    ("nodata keep, ok", state("ok", seen="fails"), "nodata", KEEP, 50, ("ok", 0, None), None),
    ("nodata keep, pending", pending(), "nodata", KEEP, FIVE, ("pending", 0, 0), None),
    ("nodata keep, firing", FIRING, "nodata", KEEP, HOUR, ("firing", 0, None), None),
    ("nodata keep, firing, nearly 1 h", state("firing", seen="nodata"), "nodata", KEEP, HOUR - 1, ("firing", 0, None), None),
    ("nodata keep, firing, 1 h", state("firing", seen="nodata"), "nodata", KEEP, HOUR, ("ok", HOUR, None), NODATA),
    ("nodata ok, ok", state("ok", seen="fails"), "nodata", OK, 50, ("ok", 0, None), None),
    ("nodata ok, pending", pending(), "nodata", OK, 50, ("ok", 50, None), None),
    ("nodata ok, firing", FIRING, "nodata", OK, 50, ("ok", 50, None), NODATA),
    ("nodata alert, ok", state("ok", seen="fails"), "nodata", ALERT, 50, ("pending", 50, 50), None),
    ("nodata alert, pending", pending(), "nodata", ALERT, FIVE - 1, ("pending", 0, 0), None),
    ("nodata alert, pending, long enough", pending(), "nodata", ALERT, FIVE, ("firing", FIVE, None), FIRED),
    ("nodata alert, firing", FIRING, "nodata", ALERT, 2 * HOUR, ("firing", 0, None), None),
    *(
        (f"error, {before.state}, {policy.no_data}", before, "error", policy, 5 * HOUR, before[:3], None)
        for before in (state("ok", seen="fails"), pending(), FIRING)
        for policy in (KEEP, OK, ALERT)
    ),
]


@pytest.mark.parametrize(
    ("before", "seen", "policy", "tick", "after", "change"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_table(
    before: State, seen: Any, policy: Policy, tick: int, after: tuple[str, int, int | None], change: Change | None
) -> None:
    result, told = step(policy, before, tick, seen)
    assert result[:3] == after
    assert told == change
    assert result.seen == seen
    assert result.seen_since == (before.seen_since if seen == before.seen else tick)


def test_every_cell_is_in_the_table() -> None:
    cells = {(row[1].state, row[2], row[3].no_data if row[2] == "nodata" else "") for row in TABLE}
    assert len(cells) == 3 * (2 + 3 + 1)


def run(policy: Policy, seen: list[str], start: State | None = None) -> list[tuple[State, Change | None]]:
    at = start or fresh(0, seen[0])  # type: ignore[arg-type]
    steps = []
    for number, one in enumerate(seen):
        at, change = step(policy, at, number * TICK, one)  # type: ignore[arg-type]
        steps.append((at, change))
    return steps


def test_the_clock_is_frozen_while_nothing_is_known() -> None:
    # Held for 40 s, unknown for 100 s, held again: five more ticks until the 90 s are full.
    seen = ["holds"] * 5 + ["nodata"] * 5 + ["error"] * 5 + ["holds"] * 10
    fired = [number for number, (_, change) in enumerate(run(Policy(90_000, "keep"), seen)) if change]
    # Held time counts from tick 0 to the last judged tick 4, and on from tick 14, the last that wasn't.
    assert fired == [19]


def test_an_error_starts_the_hour_without_data_anew() -> None:
    before = state("firing", seen="nodata")
    after, _ = step(KEEP, before, HOUR - TICK, "error")
    after, change = step(KEEP, after, HOUR, "nodata")
    assert (after.state, change) == ("firing", None)
    after, change = step(KEEP, after, HOUR + NODATA_MS, "nodata")
    assert (after.state, change) == ("ok", NODATA)


SEEN = st.lists(st.tuples(st.sampled_from(["holds", "fails", "nodata", "error"]), st.integers(1, 40)), min_size=1, max_size=12)
POLICIES = st.builds(Policy, st.sampled_from([0, TICK, 35_000, FIVE]), st.sampled_from(["keep", "ok", "alert"]))


def model(policy: Policy, seen: list[str]) -> list[str]:
    """The states in plain terms: held time counted tick by tick, in a counter instead of moments."""
    held, missing, now, states = 0, 0, "ok", []
    for number, one in enumerate(seen):
        missing = missing + 1 if one == "nodata" and number and seen[number - 1] == "nodata" else 0
        if one == "error" or (one == "nodata" and policy.no_data == "keep"):
            if now == "firing" and one == "nodata" and missing * TICK >= NODATA_MS:
                now = "ok"
        elif one == "holds" or (one == "nodata" and policy.no_data == "alert"):
            if now == "ok":
                now, held = "pending", 0
            elif now == "pending":
                held += TICK
            if now == "pending" and held >= policy.duration_ms:
                now = "firing"
        else:
            now = "ok"
        states.append(now)
    return states


@given(POLICIES, SEEN)
def test_histories_go_as_in_the_model(policy: Policy, runs: list[tuple[str, int]]) -> None:
    seen = [one for one, times in runs for _ in range(times * (10 if one == "nodata" else 1))]
    steps = run(policy, seen)
    assert [at.state for at, _ in steps] == model(policy, seen)


@given(POLICIES, SEEN)
def test_what_must_always_be_true(policy: Policy, runs: list[tuple[str, int]]) -> None:
    seen = [one for one, times in runs for _ in range(times)]
    before, open_incident = fresh(0, seen[0]), False  # type: ignore[arg-type]
    for number, one in enumerate(seen):
        after, change = step(policy, before, number * TICK, one)  # type: ignore[arg-type]
        assert (after.pending_since is not None) == (after.state == "pending")
        assert after.since <= number * TICK
        assert (after.since == number * TICK) or (after.since == before.since and after.state == before.state)
        if change and change.status == "firing":
            assert not open_incident
            assert after.state == "firing"
            open_incident = True
        elif change:
            assert open_incident
            assert after.state == "ok"
            open_incident = False
        assert open_incident == (after.state == "firing")
        if frozen(policy, one) and change is None:  # type: ignore[arg-type]
            assert after.state == before.state
        if steady(policy, before, one):  # type: ignore[arg-type]
            assert (after, change) == (before, None)
        before = after
