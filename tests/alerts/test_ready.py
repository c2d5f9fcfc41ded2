"""Ready-made rules and what is shown of active ones."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from dashapp.agent.catalog import CATALOG
from dashapp.alerts.active import ActiveAlerts
from dashapp.alerts.ready import load_ready, read_rules
from dashapp.contract.metrics import MetricQuery, Selection
from tests.alerts.conftest import MINUTE, TICK, World

FILES = Path(__file__).parents[2] / "data" / "alerts"


async def test_they_are_loaded_once(world: World) -> None:
    (row,) = await world.sql("INSERT INTO users (email, role) VALUES ('ada@example.org', 'admin') RETURNING id")
    owner: UUID = row["id"]
    made = await load_ready(world.rules, owner, FILES)
    assert made > 5
    rules, total = await world.rules.listed()
    assert total == made
    assert all(rule.notification is None for rule in rules)
    await world.rules.delete(rules[0].id)
    assert await load_ready(world.rules, owner, FILES) == 0


def test_they_watch_what_the_agent_sends() -> None:
    known = {info.name for info in CATALOG}
    assert {rule.query for path in FILES.glob("*.yaml") for rule in read_rules(path)} <= known


async def test_a_broken_file_is_left_out(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- name: x\n  query: 'no name!'\n")
    (tmp_path / "b.yaml").write_text("- {name: y, query: m, condition: gt, threshold: 1}\n")
    (row,) = await world.sql("INSERT INTO users (email, role) VALUES ('ada@example.org', 'admin') RETURNING id")
    assert await load_ready(world.rules, row["id"], tmp_path) == 1


async def test_active_alerts_are_figures_and_samples(world: World) -> None:
    await world.rule(name="Hot", severity="critical")
    await world.rule(name="Warm", duration="1 hour")
    active = ActiveAlerts(world.database, world.ingest, world.evaluator)
    await world.ticks_with(11)
    await active.look(world.now)
    assert [(one.rule, one.severity, one.state, one.instances) for one in active.now] == [
        ("Hot", "critical", "firing", 1), ("Warm", "warning", "pending", 1),
    ]  # fmt: skip
    fired = world.now
    await world.ticks_with(1)
    await active.look(world.now)
    assert active.now == []
    selection = Selection(query="ALERTS", tags={"rule": "Hot", "state": "firing"}, aggregation="max")
    frame = await world.reader.frame(MetricQuery.over(selection, fired - MINUTE, world.now + TICK, step=TICK))
    assert frame.series[0].values.tolist() == [1.0, 0.0]
