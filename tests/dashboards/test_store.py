from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from dashapp.contract.dashboards import (
    Dashboard,
    DashboardRequest,
    DashboardUpdate,
    LayoutItem,
    PanelDefinition,
    PanelUpdate,
    Position,
)
from dashapp.dashboards.store import CHANNEL, Dashboards
from dashapp.database.notices import Notices
from dashapp.database.pool import Database
from dashapp.errors import Conflict, NotFound, ValidationFailed


def panel(title: str = "CPU", **more: Any) -> PanelDefinition:
    return PanelDefinition.model_validate({"title": title, "type": "line", "query": "cpu.usage", **more})


@pytest.fixture
async def board(store: Dashboards, owner: UUID) -> Dashboard:
    """Three panels: CPU | Memory over Disk."""
    request = DashboardRequest(name="Hosts", panels=[panel("CPU"), panel("Memory"), panel("Disk")])
    return await store.create(owner, request)


def places(dashboard: Dashboard) -> dict[str, tuple[int, int, int, int]]:
    return {p.title: (p.position.x, p.position.y, p.position.w, p.position.h) for p in dashboard.panels}


def items(dashboard: Dashboard, **places: tuple[int, int, int, int]) -> list[LayoutItem]:
    ids = {p.title: p.id for p in dashboard.panels}
    return [LayoutItem(i=ids[title], x=x, y=y, w=w, h=h) for title, (x, y, w, h) in places.items()]


async def test_what_is_stored_comes_back_whole(store: Dashboards, owner: UUID) -> None:
    options = {
        "unit": "percent", "color": "#ff0000", "showLegend": False,
        "thresholds": {"warning": 80, "critical": 95}, "calculation": "max",
        "min": 0, "max": 100, "decimals": 1, "stack": True, "step": "5m", "limit": 10, "aggregation": "max",
        "tags": {"host": "a"}, "groupBy": ["core"], "alias": "{core}", "queries": [{"query": "cpu.idle", "groupBy": ["core"]}],
    }  # fmt: skip
    request = DashboardRequest(name="Ünï", description="d" * 2000, is_public=True, panels=[panel("x", options=options)])
    made = await store.create(owner, request)
    assert made == await store.get(made.id)
    assert made.panels[0].options == request.panels[0].options
    assert made.panels[0].error is None
    assert [item.i for item in made.layout] == [made.panels[0].id]
    assert (made.version, made.is_public, made.owner_id) == (1, True, owner)
    assert made.panels[0].dashboard_id == made.id


async def test_missing_things(store: Dashboards, owner: UUID) -> None:
    nothing = uuid4()
    for call in (
        store.get(nothing), store.delete(nothing), store.update(nothing, DashboardUpdate(name="x")),
        store.add_panel(nothing, panel()),
        store.update_panel(nothing, PanelUpdate(title="x")), store.delete_panel(nothing), store.panel_dashboard(nothing),
        store.create(nothing, DashboardRequest(name="x")),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await call


async def test_lists_hold_what_one_may_see(store: Dashboards, owner: UUID) -> None:
    for name in ("c", "B", "a"):
        await store.create(owner, DashboardRequest(name=name, is_public=name == "a", panels=[panel(), panel("2")]))
    found, total = await store.list_for(owner, False)
    assert ([d.name for d in found], total) == (["a", "B", "c"], 3)
    assert found[0].panel_count == 2
    found, total = await store.list_for(uuid4(), False)
    assert ([d.name for d in found], total) == (["a"], 1)
    found, total = await store.list_for(uuid4(), True, page=2, page_size=2)
    assert ([d.name for d in found], total) == (["c"], 3)
    assert await store.list_for(owner, True, page=9) == ([], 3)


async def test_every_change_raises_the_version(store: Dashboards, board: Dashboard) -> None:
    await store.update(board.id, DashboardUpdate(name="New"))
    added = await store.add_panel(board.id, panel("Net"))
    await store.update_panel(added.id, PanelUpdate(title="Network"))
    await store.delete_panel(added.id)
    after = await store.get(board.id)
    assert (after.version, after.name) == (5, "New")
    assert after.updated_at > board.updated_at
    assert (await store.update(board.id, DashboardUpdate())).version == 5, "nothing given, nothing changed"


async def test_a_stale_version_changes_nothing(store: Dashboards, board: Dashboard) -> None:
    moved = items(board, CPU=(0, 0, 12, 1), Memory=(0, 1, 12, 1), Disk=(0, 2, 12, 1))
    await store.update(board.id, DashboardUpdate(description="x", version=1))
    before = await store.get(board.id)
    for call in (
        store.update(board.id, DashboardUpdate(name="y", layout=moved, version=1)),
        store.update(board.id, DashboardUpdate(version=1)),
        store.add_panel(board.id, panel("more"), version=1),
        store.update_panel(board.panels[0].id, PanelUpdate(title="y", version=3)),
    ):
        with pytest.raises(Conflict, match="at version 2"):
            await call
    assert await store.get(board.id) == before


async def test_of_two_changes_at_once_one_wins(store: Dashboards, board: Dashboard) -> None:
    calls = [store.update(board.id, DashboardUpdate(name=f"n{n}", version=1)) for n in range(5)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    won = [outcome for outcome in outcomes if isinstance(outcome, Dashboard)]
    assert len(won) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not won[0])
    assert await store.get(board.id) == won[0]


class TestLayout:
    async def test_moves_all_panels_at_once(self, store: Dashboards, board: Dashboard) -> None:
        wanted = {"CPU": (6, 0, 6, 4), "Memory": (0, 0, 6, 4), "Disk": (0, 4, 12, 8)}
        after = await store.update(board.id, DashboardUpdate(layout=items(board, **wanted)))
        assert places(after) == wanted
        assert [p.title for p in after.panels] == ["Memory", "CPU", "Disk"]
        assert {item.i: (item.x, item.y) for item in after.layout} == {p.id: (p.position.x, p.position.y) for p in after.panels}

    async def test_a_part_of_the_panels_may_be_moved(self, store: Dashboards, board: Dashboard) -> None:
        before = places(board)
        after = await store.update(board.id, DashboardUpdate(layout=[board.layout[0].model_copy(update={"y": 40})]))
        x, _, w, h = before["CPU"]
        assert places(after) == before | {"CPU": (x, 40, w, h)}

    @pytest.mark.parametrize(
        ("change", "field", "message"),
        [
            (lambda layout: [*layout[:2], layout[2].model_copy(update={"i": uuid4()})], "layout.2.i", "no panel of this dashboard"),
            (lambda layout: [*layout, layout[0]], "layout.3.i", "'CPU' comes twice"),
        ],
    )
    async def test_a_wrong_one_is_refused_by_name(
        self, store: Dashboards, board: Dashboard, change: Any, field: str, message: str
    ) -> None:
        with pytest.raises(ValidationFailed) as caught:
            await store.update(board.id, DashboardUpdate(name="y", layout=change(board.layout)))
        assert message in caught.value.details[field]
        assert await store.get(board.id) == board

    async def test_a_panel_of_another_dashboard_stays_where_it_is(self, store: Dashboards, owner: UUID, board: Dashboard) -> None:
        other = await store.create(owner, DashboardRequest(name="Other", panels=[panel("X")]))
        foreign = LayoutItem(i=other.panels[0].id, x=0, y=50, w=1, h=1)
        with pytest.raises(ValidationFailed) as caught:
            await store.update(board.id, DashboardUpdate(layout=[*board.layout, foreign]))
        assert set(caught.value.details) == {"layout.3.i"}
        assert await store.get(other.id) == other


class TestPanels:
    async def test_goes_below_all_others(self, store: Dashboards, board: Dashboard) -> None:
        added = await store.add_panel(board.id, panel("Net"))
        assert (added.position.x, added.position.y) == (0, 8)
        sized = await store.add_panel(board.id, panel("Wide", position={"w": 12, "h": 2}))
        assert (sized.position.y, sized.position.w) == (12, 12)

    async def test_a_given_place_is_kept_also_where_it_is_taken(self, store: Dashboards, board: Dashboard) -> None:
        added = await store.add_panel(board.id, panel("Net", position={"x": 2, "y": 2}))
        assert (added.position.x, added.position.y) == (2, 2)
        (disk,) = (p for p in board.panels if p.title == "Disk")
        moved = await store.update_panel(disk.id, PanelUpdate(position=Position(x=6, y=3)))
        assert moved.position == Position(x=6, y=3)

    async def test_only_what_is_given_changes(self, store: Dashboards, board: Dashboard) -> None:
        before = board.panels[0]
        after = await store.update_panel(before.id, PanelUpdate(title="Load"))
        assert after == before.model_copy(update={"title": "Load"})
        assert await store.update_panel(before.id, PanelUpdate()) == after
        assert (await store.panel_dashboard(before.id)).id == board.id

    async def test_adding_at_once_finds_a_place_for_each(self, store: Dashboards, board: Dashboard) -> None:
        added = await asyncio.gather(*(store.add_panel(board.id, panel(f"p{n}")) for n in range(6)))
        assert sorted(p.position.y for p in added) == [8, 12, 16, 20, 24, 28]
        assert (await store.get(board.id)).version == 7

    async def test_a_dashboard_is_full_at_some_point(self, store: Dashboards, owner: UUID) -> None:
        full = await store.create(owner, DashboardRequest(name="Full", panels=[panel(f"{n}") for n in range(100)]))
        with pytest.raises(ValidationFailed, match="at most 100"):
            await store.add_panel(full.id, panel())


class TestUnreadableRows:
    """One bad panel must not take the dashboard down."""

    @pytest.mark.parametrize(
        ("sets", "names"),
        [
            ('options = \'{"unit": "parsec", "showLegend": false}\'', "options.unit"),
            ('options = \'{"hologram": true, "showLegend": false}\'', "options.hologram"),
            ('options = \'{"min": 5, "max": 1}\'', "options"),
            ("options = '[1]'", "options"),
            ("options = 'null'", "options"),
            ("type = 'sankey'", "type"),
            ("query = 'not a metric'", "query"),
            ("title = ''", "title"),
        ],
    )
    async def test_it_says_what_is_wrong_and_the_others_draw(
        self, store: Dashboards, board: Dashboard, database: Database, sets: str, names: str
    ) -> None:
        async with database.connection() as connection:
            await connection.execute(f"UPDATE panels SET {sets} WHERE id = %s", (board.panels[1].id,))  # type: ignore[arg-type]
        after = await store.get(board.id)
        assert [p.error is None for p in after.panels] == [True, False, True]
        bad = after.panels[1]
        assert names in str(bad.error)
        assert bad.position == board.panels[1].position
        if "showLegend" in sets:
            assert bad.options.show_legend is False, "what can be read is kept"
        # It can be moved, mended and removed like any other.
        assert (await store.update(board.id, DashboardUpdate(layout=after.layout))).panels[1].error
        mended = await store.update_panel(
            bad.id, PanelUpdate.model_validate({"title": "T", "type": "line", "query": "a", "options": {"unit": "bytes"}})
        )
        assert mended.error is None

    async def test_another_change_does_not_lose_them(self, store: Dashboards, board: Dashboard, database: Database) -> None:
        stored = {"unit": "parsec", "decimals": 2}
        panel_id = board.panels[1].id
        async with database.connection() as connection:
            await connection.execute("UPDATE panels SET options = %s WHERE id = %s", (json.dumps(stored), panel_id))
        assert (await store.update_panel(panel_id, PanelUpdate(title="Renamed"))).error
        async with database.connection() as connection:
            row = await (await connection.execute("SELECT options FROM panels WHERE id = %s", (panel_id,))).fetchone()
        assert row == {"options": stored}


async def test_a_deleted_dashboard_comes_back_whole(store: Dashboards, board: Dashboard, owner: UUID) -> None:
    await store.delete(board.id)
    with pytest.raises(NotFound):
        await store.get(board.id)
    assert await store.list_for(owner, is_admin=False) == ([], 0)
    with pytest.raises(NotFound):
        await store.update(board.id, DashboardUpdate(name="Ghost"))
    assert (await store.deleted(board.id)).owner_id == owner
    restored = await store.restore(board.id)
    assert (restored.name, restored.panels, restored.version) == (board.name, board.panels, board.version + 2)
    with pytest.raises(NotFound):
        await store.restore(board.id)


async def test_a_deleted_panel_comes_back_as_itself(store: Dashboards, board: Dashboard) -> None:
    cpu = board.panels[0]
    with pytest.raises(Conflict):
        await store.delete_panel(cpu.id, version=board.version + 1)
    await store.delete_panel(cpu.id, version=board.version)
    left = await store.get(board.id)
    assert cpu.id not in {panel.id for panel in left.panels}
    assert (await store.list_for(board.owner_id, is_admin=False))[0][0].panel_count == 2
    with pytest.raises(NotFound):
        await store.update_panel(cpu.id, PanelUpdate(title="Ghost"))
    assert (await store.deleted_panel_dashboard(cpu.id)).id == board.id
    assert await store.restore_panel(cpu.id) == cpu
    assert (await store.get(board.id)).version == board.version + 2
    with pytest.raises(NotFound):
        await store.restore_panel(cpu.id)


async def test_what_was_deleted_a_week_ago_is_gone(store: Dashboards, board: Dashboard, owner: UUID, database: Database) -> None:
    other = await store.create(owner, DashboardRequest(name="Other", panels=[panel()]))
    await store.delete(other.id)
    await store.delete_panel(board.panels[0].id)
    async with database.connection() as connection:
        await connection.execute("UPDATE dashboards SET deleted_at = deleted_at - interval '8 days'")
        await connection.execute("UPDATE panels SET deleted_at = deleted_at - interval '8 days'")
    with pytest.raises(NotFound):
        await store.restore(other.id)
    with pytest.raises(NotFound):
        await store.restore_panel(board.panels[0].id)
    await store.delete_panel(board.panels[1].id)
    await store.delete(board.id)
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT count(*) AS n FROM dashboards")).fetchone()
        kept = await (await connection.execute("SELECT count(*) AS n FROM panels")).fetchone()
    assert (rows, kept) == ({"n": 1}, {"n": 2})


async def test_each_change_is_told(store: Dashboards, board: Dashboard, database: Database) -> None:
    told: list[str] = []
    notices = Notices(database.url)
    notices.listen(CHANNEL, told.append)
    notices.start()
    try:
        await asyncio.wait_for(notices.connected.wait(), 10)
        told.clear()
        one = board.panels[0].id
        await store.update(board.id, DashboardUpdate(name="Renamed"))
        await store.update_panel(one, PanelUpdate(title="Renamed"))
        await store.add_panel(board.id, panel())
        await store.delete_panel(one)
        await store.restore_panel(one)
        await store.delete(board.id)
        await store.restore(board.id)
        await store.replace(board.id, DashboardRequest(name="Replaced", panels=[panel()]))
        async with asyncio.timeout(10):
            while len(told) < 8:
                await asyncio.sleep(0.01)
        assert told == [str(board.id)] * 8
    finally:
        await notices.stop()


async def test_first_panels_are_those_over_time(store: Dashboards, owner: UUID) -> None:
    bar = PanelDefinition.model_validate({"title": "B", "type": "bar", "query": "b"})
    board = await store.create(owner, DashboardRequest(name="A", panels=[bar, panel("L")]))
    only = await store.create(owner, DashboardRequest(name="B", panels=[bar]))
    empty = await store.create(owner, DashboardRequest(name="C"))
    found = await store.first_panels([board.id, only.id, empty.id])
    assert {key: one.title for key, one in found.items()} == {board.id: "L", only.id: "B"}
