"""The evaluator against a real database: what it judges, writes and tells."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from dashapp.alerts.events import CHANNEL
from dashapp.contract.alerts import BacktestRequest, Rule, RuleDefinition, RuleUpdate
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database.notices import MISSED, Notices
from dashapp.errors import Unavailable, ValidationFailed
from tests.alerts.conftest import HOUR, MINUTE, TICK, World


async def test_a_rule_fires_when_held_and_is_resolved(world: World) -> None:
    rule = await world.rule(duration="30s", notification={"type": "webhook", "target": "https://example.org/x"})
    await world.ticks_with(5)
    assert await world.state(rule) == "ok"
    await world.ticks_with(11, 3)
    assert await world.state(rule) == "pending"
    began = world.now - 2 * TICK
    await world.ticks_with(12)
    assert await world.state(rule) == "firing"
    assert began == world.now - 30_000
    fired_at = world.now
    await world.ticks_with(13, 3)
    await world.ticks_with(5)
    assert await world.state(rule) == "ok"
    firing, resolved = await world.events(rule)
    assert (firing.status, firing.value, resolved.status, resolved.value) == ("firing", 12.0, "resolved", 5.0)
    assert firing.incident == resolved.incident
    assert firing.resolved_at == resolved.resolved_at
    assert await world.told(rule) == [("firing", fired_at, None), ("resolved", world.now, None)]
    assert [one.state for one in firing.deliveries] == ["pending"]
    assert [one.state for one in resolved.deliveries] == ["pending"]


async def test_one_instance_for_each_group(world: World) -> None:
    rule = await world.rule(groupBy=["host"])
    await world.tick()
    assert await world.instances(rule) == {"": "nodata"}
    world.clock.now_ms += TICK
    await world.write(11, host="a")
    await world.write(1, host="b")
    await world.evaluator.tick()
    assert await world.instances(rule) == {"a": "firing", "b": "ok"}
    assert [one.tags for one in await world.events(rule)] == [{"host": "a"}]


async def test_a_tick_is_judged_once(world: World) -> None:
    rule = await world.rule()
    await world.ticks_with(11)
    await world.write(1)
    assert await world.evaluator.tick()
    assert await world.state(rule) == "firing"
    world.clock.now_ms -= 5 * TICK  # a clock that was set back
    await world.write(1)
    assert await world.evaluator.tick()
    assert await world.told(rule) == [("firing", world.now + 5 * TICK, None)]
    world.clock.now_ms += 6 * TICK
    await world.write(1)
    assert await world.evaluator.tick()
    assert [status for status, _, _ in await world.told(rule)] == ["firing", "resolved"]


async def test_only_the_newest_closed_bucket_counts(world: World) -> None:
    rule = await world.rule()
    world.clock.now_ms += TICK
    await world.write(11, at=world.now - 4_000)  # its bucket ends at the tick: not settled
    await world.evaluator.tick()
    assert await world.state(rule) == "nodata"
    await world.tick()
    assert await world.state(rule) == "firing"


async def test_a_value_is_stale_after_five_minutes(world: World) -> None:
    rule = await world.rule(duration="10 minutes")
    await world.ticks_with(11)
    await world.tick(28)
    (one,) = (await world.rules.get(rule.id)).instances
    assert (one.state, one.no_data) == ("pending", False)
    await world.tick()
    (one,) = (await world.rules.get(rule.id)).instances
    assert (one.state, one.no_data) == ("pending", True)


async def test_a_group_that_is_gone_is_resolved_and_deleted(world: World) -> None:
    rule = await world.rule(groupBy=["host"])
    await world.ticks_with(11, host="a")
    last_bucket = world.now - 2 * TICK
    world.clock.now_ms += 30 * TICK
    await world.write(1, host="b")
    await world.evaluator.tick()
    assert await world.instances(rule) == {"a": "firing", "b": "ok"}
    # The series of b goes on, so that only a vanishes.
    while world.now < last_bucket + HOUR:
        world.clock.now_ms += 4 * TICK
        await world.write(1, host="b")
        await world.evaluator.tick()
    assert await world.instances(rule) == {"a": "firing", "b": "ok"}
    await world.ticks_with(1, host="b")
    assert await world.instances(rule) == {"b": "ok"}
    assert (await world.told(rule))[-1] == ("resolved", world.now, "gone")


async def test_firing_goes_on_for_an_hour_without_data(world: World) -> None:
    rule = await world.rule()
    await world.ticks_with(11)
    first_without = world.now - 2 * TICK + 5 * MINUTE + TICK
    world.clock.now_ms = first_without + HOUR - TICK
    await world.evaluator.tick()
    assert await world.state(rule) == "firing"
    await world.tick()
    assert await world.state(rule) == "nodata"
    assert (await world.told(rule))[-1] == ("resolved", world.now, "nodata")


@pytest.mark.parametrize("no_data", ["ok", "alert"])
async def test_what_no_data_means_is_the_rules(world: World, no_data: str) -> None:
    rule = await world.rule(noData=no_data)
    await world.tick()
    assert await world.state(rule) == ("nodata" if no_data == "ok" else "firing")
    await world.ticks_with(11)
    await world.tick(30)
    assert await world.state(rule) == ("nodata" if no_data == "ok" else "firing")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"threshold": 5.0}, "changed"),
        ({"condition": "gte"}, "changed"),
        ({"query": "n"}, "changed"),
        ({"tags": {"host": "a"}}, "changed"),
        ({"group_by": ["host"]}, "changed"),
        ({"aggregation": "max"}, "changed"),
        ({"step": "30s"}, "changed"),
        ({"enabled": False}, "disabled"),
        (None, "deleted"),
    ],
)
async def test_a_change_resolves_what_fires(world: World, change: dict[str, object] | None, reason: str) -> None:
    rule = await world.rule()
    await world.ticks_with(11)
    if change is None:
        await world.rules.delete(rule.id)
    else:
        await world.rules.update(rule.id, RuleUpdate(**change))
    assert [(status, why) for status, _, why in await world.told(rule)] == [("firing", None), ("resolved", reason)]
    assert await world.sql("SELECT 1 FROM alert_instances") == []
    await world.ticks_with(11)  # nothing of the old rule is left in anyone's memory
    assert len(await world.sql("SELECT 1 FROM alert_instances")) <= 1


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"severity": "info"}, {"duration": "5m"}, {"no_data": "ok"}, {"threshold": 10.0}]
)
async def test_other_changes_leave_it_firing(world: World, change: dict[str, object]) -> None:
    rule = await world.rule()
    await world.ticks_with(11)
    await world.rules.update(rule.id, RuleUpdate(**change))
    await world.ticks_with(11)
    assert await world.state(rule) == "firing"
    assert len(await world.events(rule)) == 1


async def test_too_many_instances_are_an_error_that_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashapp.alerts.judging.MOST_INSTANCES", 3)
    rule, other = await world.rule(groupBy=["host"]), await world.rule()
    world.clock.now_ms += TICK
    for number in range(4):
        await world.write(11, host=f"h{number}")
    await world.evaluator.tick()
    found = await world.rules.get(rule.id)
    assert (found.state, found.error) == (
        "error",
        "the rule has 4 instances, and at most 3 are judged; filter by tags or group by fewer.",
    )
    assert await world.state(other) == "firing"


async def test_a_rule_that_fails_stands_alone(world: World) -> None:
    good = await world.rule()
    bad = await world.rule(query="broken")
    better = await world.rule(threshold=5.0)
    await world.write(1, name="broken")
    # Three samples that can't be added up, as no write of dashapp could make them.
    await world.sql(
        "INSERT INTO metrics_raw SELECT to_timestamp(%s) + n * interval '1 ms', s.id, 1.7e308"
        " FROM series s JOIN metrics m ON m.id = s.metric_id, generate_series(1, 3) n WHERE m.name = 'broken'",
        (world.now - TICK) / 1000,
    )
    await world.ticks_with(11)
    assert await world.state(good) == "firing"
    assert await world.state(better) == "firing"
    found = await world.rules.get(bad.id)
    assert found.state == "error"
    assert "out of range" in str(found.error)
    world.clock.now_ms += 5 * MINUTE  # what can't be added up is no longer looked at
    await world.tick(3)
    assert (await world.rules.get(bad.id)).error is None


class TestUnreadable:
    """A rule that another version of dashapp wrote, and this one doesn't know how to judge."""

    async def broken(self, world: World, change: str) -> Rule:
        rule = await world.rule()
        await world.ticks_with(5)
        # As the other version would, whose schema allows more: with the clock's generation.
        await world.sql(
            "ALTER TABLE alert_rules DROP CONSTRAINT alert_rules_condition_check, DROP CONSTRAINT alert_rules_no_data_check"
        )
        await world.sql(f"UPDATE alert_rules SET {change}, version = version + 1")
        await world.sql("UPDATE alert_clock SET generation = generation + 1")
        return rule

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ("condition = 'between'", "condition"),
            ("threshold = 'NaN'", "threshold"),
            ("aggregation = 'median'", "aggregation"),
            ("group_by = '{a b}'", "groupBy"),
            ("no_data = 'shout'", "noData"),
            ("""notification = '{"type": "pigeon", "target": "x"}'""", "notification"),
            ("duration = interval '1 ms', query = '?'", "query"),
        ],
    )
    async def test_is_shown_with_its_error_and_the_others_are_judged(self, world: World, change: str, field: str) -> None:
        rule = await self.broken(world, change)
        good = await world.rule()
        await world.ticks_with(11)
        assert await world.state(good) == "firing"
        listed, total = await world.rules.listed()
        assert total == 2
        (found,) = [one for one in listed if one.id == rule.id]
        for one in (found, await world.rules.get(rule.id)):
            assert one.state == "error"
            assert f"this version of dashapp can't read the rule, so it isn't judged ({field}: " in str(one.error)
        assert [one.id for one in (await world.rules.listed(states=["error"]))[0]] == [rule.id]
        evaluation = await world.rules.evaluate(rule.id)
        assert (evaluation.state, evaluation.error) == ("error", found.error)
        assert (await world.rules.update(good.id, RuleUpdate(name="still there"))).state == "firing"

    async def test_is_mended_by_what_it_lacks(self, world: World) -> None:
        rule = await self.broken(world, "condition = 'between'")
        with pytest.raises(ValidationFailed) as caught:
            await world.rules.update(rule.id, RuleUpdate(name="other"))
        assert set(caught.value.details) == {"condition"}
        assert (await world.sql("SELECT condition FROM alert_rules"))[0]["condition"] == "between"
        await world.ticks_with(11)
        mended = await world.rules.update(rule.id, RuleUpdate(condition="gt"))
        assert mended.error is None
        await world.ticks_with(11)
        assert await world.state(rule) == "firing"

    async def test_is_deleted_like_any_other(self, world: World) -> None:
        rule = await self.broken(world, "condition = 'between'")
        await world.rules.delete(rule.id)
        assert await world.rules.listed() == ([], 0)


async def test_events_are_kept_for_a_year_after_they_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashapp.alerts.events._PRUNED_AT_ONCE", 2)
    rule = await world.rule(notification={"type": "webhook", "target": "https://example.org/x"})
    for _ in range(4):
        await world.ticks_with(11)
        await world.ticks_with(1)
    await world.ticks_with(11)
    year = "interval '366 days'"
    await world.sql(f"UPDATE alert_events SET triggered_at = triggered_at - {year}")
    # Of the first two incidents the end is long ago, too; the third lasted until now, the last goes on.
    await world.sql(
        f"UPDATE alert_events SET resolved_at = resolved_at - {year} WHERE incident IN"
        " (SELECT incident FROM alert_events WHERE status = 'firing' ORDER BY n LIMIT 2)"
    )
    before = await world.events(rule)
    assert [await world.history.prune(world.now) for _ in range(3)] == [2, 2, 0]
    assert {one.id for one in await world.events(rule)} == {one.id for one in before[4:]}
    assert len(await world.sql("SELECT 1 FROM alert_deliveries")) == 5
    assert await world.history.prune(world.now + MINUTE) == 0


async def test_rows_are_written_only_when_something_changes(world: World) -> None:
    for _ in range(3):
        await world.rule(groupBy=["host"])
    world.clock.now_ms += TICK
    for host in "abc":
        await world.write(1, host=host)
    await world.evaluator.tick()
    before = await world.sql("SELECT xmin::text, rule_id FROM alert_instances ORDER BY rule_id, tags_hash")
    assert len(before) == 9
    for _ in range(3):
        world.clock.now_ms += TICK
        for host in "abc":
            await world.write(2, host=host)
        await world.evaluator.tick()
    assert await world.sql("SELECT xmin::text, rule_id FROM alert_instances ORDER BY rule_id, tags_hash") == before


async def test_a_restart_loses_no_pending_time(world: World) -> None:
    rule = await world.rule(duration="2 days")
    await world.ticks_with(11)
    began = world.now
    await world.sql(
        "UPDATE alert_instances SET pending_since = pending_since - interval '2 days', since = since - interval '2 days'"
    )
    await world.evaluator.lease.release()
    world.evaluator = world.process()
    await world.ticks_with(11)
    assert await world.state(rule) == "firing"
    assert world.now == began + TICK


async def test_a_rate_is_judged_live_from_history_and_in_backtests(world: World) -> None:
    rule = await world.rule(query="hits_total", function="rate", aggregation="sum", condition="gte", threshold=2.0)
    start, total = world.now, 0.0
    for number in range(-3, 60):
        total += 30.0 if 10 <= number < 20 or number >= 40 else 10.0
        await world.write(total, at=start + number * TICK, name="hits_total")
    world.clock.now_ms = start + 5 * TICK
    assert await world.evaluator.tick()
    await world.tick(20)
    live = await world.told(rule)
    assert [status for status, _, _ in live] == ["firing", "resolved"]
    world.clock.now_ms += 30 * TICK
    assert await world.evaluator.tick()
    assert [status for status, _, _ in await world.told(rule)] == ["firing", "resolved", "firing"]
    request = BacktestRequest(rule=RuleDefinition(**rule.model_dump(include=set(RuleDefinition.model_fields))),
                              start=from_ms(start), end=from_ms(world.now))  # fmt: skip
    tested = await world.rules.backtest(request)
    assert [to_ms(one.start) for one in tested.periods] == [
        when for status, when, _ in await world.told(rule) if status == "firing"
    ]


async def test_the_database_away_amid_a_pass_loses_no_tick(world: World) -> None:
    rule = await world.rule(duration="20s")
    await world.ticks_with(11)
    world.clock.now_ms += TICK
    await world.write(11)
    original = world.evaluator._judge

    async def cut(tick: int, outcome: object) -> None:
        await original(tick, outcome)  # type: ignore[arg-type]
        await world.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        raise Unavailable

    world.evaluator._judge = cut  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await world.evaluator.tick()
    world.evaluator._judge = original  # type: ignore[method-assign]
    await world.ticks_with(11)
    assert await world.state(rule) == "firing"
    assert world.evaluator.figures.late == 1


class TestSeveralProcesses:
    async def test_exactly_one_judges(self, world: World) -> None:
        other = world.process()
        assert not await other.tick()
        rule = await world.rule()
        await world.ticks_with(11)
        world.clock.now_ms += TICK
        assert [await other.tick(), await world.evaluator.tick()] == [False, True]
        assert len(await world.events(rule)) == 1

    async def test_the_next_takes_over_when_the_lease_runs_out(self, world: World) -> None:
        other = world.process()
        rule = await world.rule()
        await world.ticks_with(11)
        await world.sql("UPDATE leases SET expires_at = clock_timestamp() - interval '1 ms' WHERE name = 'alerts'")
        world.clock.now_ms += TICK
        await world.write(1)
        assert await other.tick()
        assert not await world.evaluator.tick()
        assert [status for status, _, _ in await world.told(rule)] == ["firing", "resolved"]

    async def test_one_that_lost_its_lease_amid_a_pass_writes_nothing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        other, rule = world.process(), await world.rule()
        original = world.evaluator._judge

        async def slow(tick: int, outcome: object) -> None:
            await original(tick, outcome)  # type: ignore[arg-type]
            await world.sql("UPDATE leases SET expires_at = clock_timestamp() - interval '1 ms' WHERE name = 'alerts'")
            assert await other.tick()

        monkeypatch.setattr(world.evaluator, "_judge", slow)
        world.clock.now_ms += TICK
        await world.write(11)
        assert not await world.evaluator.tick()
        assert len(await world.events(rule)) == 1


class TestMissedTicks:
    async def test_are_judged_from_history(self, world: World) -> None:
        rule = await world.rule(duration="1 minute")
        start = world.now
        await world.ticks_with(1)
        for number in range(1, 200):
            await world.write(11 if number % 60 > 30 else 1, at=start + number * TICK)
        world.clock.now_ms = start + 205 * TICK
        assert await world.evaluator.tick()
        told = await world.told(rule)
        assert [status for status, _, _ in told] == ["firing", "resolved"] * 3
        assert told[0][1] == start + 31 * TICK + 2 * TICK + MINUTE
        assert world.evaluator.figures.late == 203

    async def test_only_the_net_change_notifies(self, world: World) -> None:
        rule = await world.rule(notification={"type": "webhook", "target": "https://example.org/x"})
        start = world.now
        await world.ticks_with(11)
        for number in range(1, 100):
            await world.write(11 if 30 < number < 60 or number > 80 else 1, at=start + number * TICK)
        world.clock.now_ms = start + 101 * TICK
        assert await world.evaluator.tick()
        assert [
            (one.status, [delivery.state for delivery in one.deliveries]) for one in await world.events(rule)
        ] == [
            ("firing", ["pending"]), ("resolved", ["pending"]), ("firing", []), ("resolved", []), ("firing", ["pending"]),
        ]  # fmt: skip

    async def test_reach_back_a_day(self, world: World) -> None:
        rule = await world.rule(duration="1 hour")
        await world.ticks_with(11)
        world.clock.now_ms += 40 * HOUR
        for minutes in range(1, 9):
            await world.write(11, at=world.now - 30 * MINUTE + minutes * MINUTE)
        assert await world.evaluator.tick()
        # 16 hours that nobody judged, then a day without data: all of it stands still.
        assert await world.state(rule) == "pending"


async def test_an_event_told_twice_is_one(world: World) -> None:
    rule = await world.rule()
    await world.ticks_with(11)
    (row,) = await world.sql("SELECT * FROM alert_events")
    await world.sql("UPDATE alert_clock SET last_tick = last_tick - interval '10 seconds'")
    await world.sql("DELETE FROM alert_instances")
    again = world.process()
    await world.evaluator.lease.release()
    assert await again.tick()
    assert [one["id"] for one in await world.sql("SELECT id FROM alert_events")] == [row["id"]]
    assert rule.id == row["rule_id"]
    assert row["incident"] != uuid4()


async def test_plots_learn_when_rules_of_their_metrics_fired(world: World) -> None:
    await world.rule(groupBy=["host"], tags={"dc": "x"}, severity="critical")
    await world.ticks_with(11, host="a", dc="x")
    began = world.now
    open_now = await world.history.firing_periods(["m"], began - 60_000, began + 1)
    assert [(one.query, one.tags, one.severity, one.start_ms, one.end_ms) for one in open_now] == [
        ("m", {"host": "a", "dc": "x"}, "critical", began, None)
    ]
    await world.ticks_with(1, host="a", dc="x")
    ended = await world.history.firing_periods(["m"], world.now, world.now + 1)
    assert [(one.start_ms, one.end_ms) for one in ended] == [(began, world.now)]
    for metrics, start, end in ((["other"], 0, world.now), (["m"], 0, began), (["m"], world.now + 1, world.now + 2)):
        assert await world.history.firing_periods(metrics, start, end) == []


async def test_what_is_active_is_listed_the_most_urgent_first(world: World) -> None:
    await world.rule(groupBy=["host"], tags={"dc": "x"}, severity="warning")
    slow = await world.rule(groupBy=["host"], duration="1 hour", severity="critical")
    await world.rule(query="unknown")
    await world.rule(query="unknown", enabled=False)
    await world.ticks_with(11, host="a", dc="x")
    first, *rest = await world.history.active()
    assert (first.rule_name, first.state, first.value) == ("r1", "firing", 11)
    assert (first.tags, first.since_ms) == ({"host": "a", "dc": "x"}, world.now)
    assert [(one.rule_name, one.state, one.muted) for one in rest] == [("r2", "pending", False), ("r3", "nodata", False)]
    await world.rules.pause(slow.id, from_ms(world.now + HOUR))
    assert [one.muted for one in await world.history.active()] == [False, True, False]
    await world.ticks_with(1, host="a", dc="x")
    assert [one.state for one in await world.history.active()] == ["nodata"]
    *_, last = await world.history.active(resolved=True)
    assert (last.rule_name, last.state, last.tags, last.since_ms) == ("r1", "resolved", {"host": "a", "dc": "x"}, world.now)
    await world.ticks_with(11, host="a", dc="x")
    assert [one.state for one in await world.history.active(resolved=True)] == ["firing", "pending", "nodata"]


async def test_open_pages_are_told_when_something_moved(world: World) -> None:
    notices, told = Notices(world.database.url), asyncio.Queue[str]()
    notices.listen(CHANNEL, told.put_nowait)
    notices.start()
    try:
        assert await asyncio.wait_for(told.get(), 20) == MISSED
        await world.rule()
        await world.ticks_with(11)
        await world.ticks_with(11)
        await world.ticks_with(1)
        await world.rule()
        heard = [await asyncio.wait_for(told.get(), 20) for _ in range(4)]
        assert heard == ["changed", "moved", "moved", "changed"], "nothing moved at the second tick"
    finally:
        await notices.stop()
