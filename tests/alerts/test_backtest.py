"""Backtests: they agree with live judging to the tick, say what they can't know, and are quick."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from dashapp.alerts.backtest import backtest, summary
from dashapp.contract.alerts import Backtest, BacktestRequest, RuleDefinition
from dashapp.contract.metrics import Point
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.errors import ValidationFailed
from tests.alerts.conftest import DAY, HOUR, MINUTE, TICK, World


async def run(world: World, start: int, end: int, **rule: Any) -> Backtest:
    definition = RuleDefinition.model_validate({"name": "r", "query": "m", "condition": "gt", "threshold": 10.0} | rule)
    return await backtest(world.reader, world.ticks, BacktestRequest(rule=definition, start=from_ms(start), end=from_ms(end)))


@pytest.mark.parametrize(
    "rule",
    [
        {"duration": "30s"},
        {"duration": "1 minute", "groupBy": ["host"], "threshold": 8.0},
        {"groupBy": ["host"], "noData": "alert", "duration": "20s"},
        {"step": "30s", "aggregation": "max"},
        {"condition": "lte", "threshold": 3.0, "groupBy": ["host"], "noData": "ok"},
    ],
)
async def test_live_events_and_the_backtest_agree_to_the_tick(world: World, rule: dict[str, Any]) -> None:
    """Two hosts for half an hour: values that cross and return, holes short and long, a host that comes late."""
    rng = np.random.default_rng(7)
    start = world.now
    live = await world.rule(**rule)
    level = {"a": 5.0, "b": 5.0}
    for number in range(1, 180):
        world.clock.now_ms += TICK
        points = []
        for host in level:
            level[host] = float(np.clip(level[host] + rng.normal(0, 3), 0, 20))
            silent = (host == "b" and number < 40) or 60 < number < 100 or (host == "a" and 120 < number < 125)
            if not silent:
                points.append(Point(name="m", value=level[host], tags={"host": host}, timestamp=world.now - 2 * TICK))
        await world.ingest.write(points)
        assert await world.evaluator.tick()
    end = world.now + 1
    tested = await run(world, start + TICK, end, **rule)
    firing = [one for one in tested.periods if one.state == "firing"]
    replayed = sorted(
        [("firing", to_ms(one.start), str(one.tags)) for one in firing]
        + [("resolved", to_ms(one.end), str(one.tags)) for one in firing if one.end]
    )
    told = sorted(
        (one.status, to_ms(one.resolved_at if one.status == "resolved" and one.resolved_at else one.triggered_at), str(one.tags))
        for one in await world.events(live)
    )
    assert told == replayed
    assert len(told) > 2
    assert tested.fired == len(firing)
    # Missed as a whole and made up for, the same ticks give the same events.
    again = await world.rule(**rule)
    await world.sql("UPDATE alert_rules SET effective_at = to_timestamp(%s) WHERE id = %s", start / 1000, again.id)
    await world.sql("UPDATE alert_clock SET last_tick = to_timestamp(%s), generation = generation + 1", start / 1000)
    await world.rules.delete(live.id)
    assert await world.evaluator.tick()
    assert (
        sorted(
            (
                one.status,
                to_ms(one.resolved_at if one.status == "resolved" and one.resolved_at else one.triggered_at),
                str(one.tags),
            )
            for one in await world.events(again)
        )
        == told
    )


async def test_it_says_how_often_and_how_long(world: World) -> None:
    start = floor = world.now - DAY
    for hour in (2, 5, 9):
        for minute in range(10):
            await world.write(11.0, at=floor + hour * HOUR + minute * MINUTE)
        await world.write(1.0, at=floor + hour * HOUR + 10 * MINUTE)
    tested = await run(world, start, world.now, duration="2 minutes")
    assert tested.summary == "fired 3 times in 1 day, 24 minutes in total"
    assert (tested.fired, tested.firing_seconds) == (3, 3 * 480)
    states = [(one.state, (to_ms(one.end or one.start) - to_ms(one.start)) // 1000) for one in tested.periods]
    assert states == [("pending", 120), ("firing", 480)] * 3
    assert tested.threshold == 10.0
    assert len(tested.times) <= 1000
    assert max(value for value in tested.series[0].values if value is not None) == 11.0


async def test_it_says_from_when_on_it_can_judge(world: World) -> None:
    assert (await run(world, world.now - DAY, world.now)).judged_from is None
    await world.write(1.0, at=world.now - HOUR)
    tested = await run(world, world.now - DAY, world.now)
    assert to_ms(tested.judged_from) == (world.now - HOUR) // TICK * TICK + TICK + 5_000  # type: ignore[arg-type]
    assert tested.summary == "would not have fired in 1 day"


async def test_what_fires_at_the_start_or_the_end_is_cut(world: World) -> None:
    for minutes in range(30):
        await world.write(11.0, at=world.now - minutes * MINUTE)
    tested = await run(world, world.now - 10 * MINUTE, world.now)
    (one,) = tested.periods
    assert (one.end, tested.fired, tested.firing_seconds) == (None, 0, 600)
    assert tested.summary == "fired 0 times in 10 minutes, 10 minutes in total"


@pytest.mark.parametrize(("start", "end"), [(-100 * DAY, 0), (DAY, 2 * DAY)])
async def test_what_is_refused(world: World, start: int, end: int) -> None:
    with pytest.raises(ValidationFailed, match="start"):
        await run(world, world.now + start, world.now + end)


def test_summaries() -> None:
    assert summary(1, 3600, 7 * DAY) == "fired once in 7 days, 1 hour in total"
    assert summary(0, 0, HOUR) == "would not have fired in 1 hour"


async def test_a_week_of_one_series(world: World) -> None:
    """The bound of a second is measured by the benchmark; here only that it isn't far off on a busy machine."""
    end = world.now
    times = np.arange(end - 7 * DAY + HOUR, end, TICK)
    await world.write(1.0, at=end - MINUTE)
    await world.ingest.partitions.ensure(sorted({int(ms) // DAY * DAY for ms in times.tolist()}))
    values = 5 + 6 * np.sin(times / HOUR)
    await world.sql(
        "INSERT INTO metrics_raw SELECT t, (SELECT max(id) FROM series), v FROM unnest(%s::timestamptz[], %s::float8[]) AS x (t, v)"
        " ON CONFLICT DO NOTHING",
        times.astype("datetime64[ms]"), values,
    )  # fmt: skip
    began = time.monotonic()
    tested = await run(world, end - 7 * DAY + 3 * HOUR, end, duration="5 minutes")
    assert time.monotonic() - began < 10
    assert tested.fired > 20
