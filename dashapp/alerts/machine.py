"""The state machine of an alert's instance: pure, without a clock of its own, the same for live ticks, "evaluate now" and
backtests. docs/alerts.md has it as a table and a picture. All times are Unix ms."""

from __future__ import annotations

from typing import Literal, NamedTuple

from dashapp.contract.alerts import NoData, Reason, Status

Held = Literal["ok", "pending", "firing"]
#: What a tick saw: the condition holds or fails, there is no value, or the value couldn't be asked for.
Seen = Literal["holds", "fails", "nodata", "error"]

#: So long an instance that fires goes on without data under `keep`.
NODATA_MS = 3_600_000


class Policy(NamedTuple):
    """The part of a rule that the machine needs."""

    duration_ms: int
    no_data: NoData


class State(NamedTuple):
    """How an instance stands after a tick."""

    state: Held
    #: The tick at which it came into this state.
    since: int
    #: While pending: since when the condition has held, moved on by the time that wasn't judged.
    pending_since: int | None
    #: What the last tick saw, and the first tick that has seen so without a break.
    seen: Seen
    seen_since: int


class Change(NamedTuple):
    """What a step tells the world."""

    status: Status
    reason: Reason | None = None


def fresh(tick: int, seen: Seen) -> State:
    """An instance before the first tick that judges it."""
    return State("ok", tick, None, seen, tick)


def counts_as_holding(policy: Policy, seen: Seen) -> bool:
    return seen == "holds" or (seen == "nodata" and policy.no_data == "alert")


def frozen(policy: Policy, seen: Seen) -> bool:
    """Whether state and clock stand still."""
    return seen == "error" or (seen == "nodata" and policy.no_data == "keep")


def steady(policy: Policy, before: State, seen: Seen) -> bool:
    """True where `step` would change nothing, at whatever tick; the loops skip those."""
    if seen != before.seen:
        return False
    if before.state == "ok":
        return not counts_as_holding(policy, seen)
    if before.state == "pending":
        return frozen(policy, seen)
    return seen == "error" or counts_as_holding(policy, seen)


def step(policy: Policy, before: State, tick: int, seen: Seen) -> tuple[State, Change | None]:
    """The state after a tick, and what it tells. Ticks come in order, each once."""
    seen_since = before.seen_since if seen == before.seen else tick
    state, since, pending_since = before.state, before.since, before.pending_since
    change: Change | None = None
    if state == "pending" and pending_since is not None and seen != before.seen and frozen(policy, before.seen):
        pending_since += tick - before.seen_since
    if frozen(policy, seen):
        if state == "firing" and seen == "nodata" and tick - seen_since >= NODATA_MS:
            state, since, change = "ok", tick, Change("resolved", "nodata")
    elif counts_as_holding(policy, seen):
        if state == "ok":
            state, since, pending_since = "pending", tick, tick
        if state == "pending" and pending_since is not None and tick - pending_since >= policy.duration_ms:
            state, since, pending_since, change = "firing", tick, None, Change("firing")
    else:
        if state == "firing":
            change = Change("resolved", "nodata" if seen == "nodata" else None)
        if state != "ok":
            state, since, pending_since = "ok", tick, None
    return State(state, since, pending_since, seen, seen_since), change
