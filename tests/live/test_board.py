"""Boards: drawn once, told to all, and whole for whoever comes late."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from bokeh.document import Document

from dashapp.accounts.accounts import Accounts
from dashapp.contract.alerts import ActiveAlert, FiringPeriod
from dashapp.contract.dashboards import Dashboard, DashboardRequest, DashboardUpdate
from dashapp.contract.metrics import Point
from dashapp.contract.timerange import TimeRange
from dashapp.contract.variables import Variable
from dashapp.dashboards.store import Dashboards
from dashapp.database.pool import Database
from dashapp.errors import ValidationFailed
from dashapp.live import board as board_module
from dashapp.live import boards as boards_module
from dashapp.live import drawing as drawing_module
from dashapp.live import hub as hub_module
from dashapp.live.board import Board
from dashapp.live.boards import Boards
from dashapp.live.drawing import Change
from dashapp.live.hub import LiveHub, now_ms
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.query import Reader
from dashapp.settings import Settings


@dataclass
class Wall:
    """A dashboard of all panel types, and what draws it."""

    boards: Boards
    dashboard: Dashboard
    ingest: Ingest
    hub: LiveHub

    async def send(self, *values: float, at: int | None = None) -> None:
        end = at or now_ms() // 1000 * 1000
        points = [
            Point(name="m", value=value + add, tags={"host": host}, timestamp=end - 1000 * (len(values) - 1 - index))
            for index, value in enumerate(values) for host, add in (("a", 0.0), ("b", 5.0))
        ]  # fmt: skip
        await self.ingest.write(points)

    async def open(self, start: str = "now-15m", *, refresh: str = "1s") -> Board:
        return await self.boards.open(self.dashboard, TimeRange(start, "now"), refresh, "dark")

    async def tick(self) -> None:
        await self.hub._tick(list(self.hub._subscriptions), now_ms())


@pytest.fixture
async def wall(database: Database) -> AsyncIterator[Wall]:
    settings = Settings(_env_file=None, data_dir=Path("unused"))  # type: ignore[call-arg]
    reader = Reader(database, settings)
    hub = LiveHub(database, reader)  # ticks only when a test says so
    ingest = Ingest(database, settings)
    await ingest.start()
    owner = await Accounts(database).create_user("owner@example.org", "correct horse battery", "admin")
    kinds: list[dict[str, Any]] = [
        {"title": kind, "type": kind, "query": "m", "options": {"groupBy": [] if kind in ("stat", "gauge") else ["host"]},
         "position": {"x": 0, "y": 4 * index, "w": 6, "h": 4}}
        for index, kind in enumerate(("line", "area", "bar", "stat", "gauge", "table"))
    ]  # fmt: skip
    made = await Dashboards(database).create(owner.id, DashboardRequest(name="wall", panels=kinds))
    yield Wall(Boards(hub, reader), made, ingest, hub)
    await ingest.stop()


def _data(board_json: bytes, changes: list[Change]) -> Document:
    """What a page shows that was given this picture and then these changes: a document of its own."""
    picture = orjson.loads(board_json)
    document = Document.from_json(picture["document"])
    for patch in [*picture["patches"], *(orjson.loads(change.patch) for change in changes)]:
        document.apply_json_patch(patch)
    return document


def _same(one: Document, other: Document) -> None:
    assert {model.id for model in one.models} >= {root.id for root in other.roots}
    for root in other.roots:
        for model in root.references():
            twin = one.get_model_by_id(model.id)
            assert twin is not None
            for name in model.properties_with_values(include_defaults=False):
                left, right = getattr(twin, name), getattr(model, name)
                if name == "data":
                    assert {key: _cells(column) for key, column in left.items()} == {
                        key: _cells(column) for key, column in right.items()
                    }
                elif isinstance(right, str | int | float | bool | type(None)) and isinstance(
                    left, str | int | float | bool | type(None)
                ):
                    assert left == right, (model, name)


def _cells(column: Any) -> list[str]:
    # NaN is no number's equal, not even its own.
    return [cell if isinstance(cell, str) else repr(float(cell)) for cell in column]


async def test_a_picture_and_its_changes_are_what_the_board_shows(wall: Wall) -> None:
    await wall.send(*range(60))
    board = await wall.open()
    first = board.drawing.picture()
    heard: list[Change] = []
    board.join(heard.append)
    for values in ((61.0,), (62.0, 300.0), (1.0, -5.0, 2.0)):
        await wall.send(*values)
        await wall.tick()
    assert [change.number for change in heard] == [1, 2, 3]
    _same(_data(first, heard), board.drawing.document)
    _same(_data(first, heard[:1] + (board.drawing.since(1) or [])), board.drawing.document)
    # A picture made now says the same by itself, whether the document is written anew or followed by changes.
    assert orjson.loads(board.drawing.picture())["patches"]
    _same(_data(board.drawing.picture(), []), board.drawing.document)
    board.drawing._written = None
    assert not orjson.loads(board.drawing.picture())["patches"]
    _same(_data(board.drawing.picture(), []), board.drawing.document)


async def test_viewers_share_one_reading_and_one_patch(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    await wall.send(*range(10))
    asked: list[int] = []
    frames = wall.hub._reader.frames

    async def counted(queries: list[Any]) -> Any:
        asked.append(len(queries))
        return await frames(queries)

    monkeypatch.setattr(wall.hub._reader, "frames", counted)

    async def cost(viewers: int) -> list[int]:
        opened = [await wall.open() for _ in range(viewers)]
        heard: list[list[Change]] = [[] for _ in opened]
        for one, changes in zip(opened, heard, strict=True):
            one.join(changes.append)
        asked.clear()
        await wall.send(float(viewers))
        await wall.tick()
        assert all(len(changes) == 1 and changes[0] is heard[0][0] for changes in heard)
        for one, changes in zip(opened, heard, strict=True):
            one.leave(changes.append)
            wall.boards.close(one)
        return list(asked)

    assert await cost(1) == await cost(100)


async def test_who_was_away_for_too_long_gets_the_whole_picture(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_module, "_KEPT_CHANGES", 2)
    await wall.send(1.0)
    board = await wall.open()
    board.join(lambda change: None)
    for value in (2.0, 3.0, 4.0):
        await wall.send(value)
        await wall.tick()
    assert board.drawing.since(0) is None
    assert [change.number for change in board.drawing.since(1) or []] == [2, 3]
    assert board.drawing.since(3) == []


async def test_unwatched_it_reads_nothing_and_the_next_viewer_sees_the_present(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    await wall.send(1.0)
    board = await wall.open()
    heard: list[Change] = []
    board.join(heard.append)
    board.leave(heard.append)
    assert wall.hub.viewers == 0
    wall.boards.close(board)
    await wall.send(99.0)
    # What is a moment old is fresh enough; this is later.
    for module in (board_module, hub_module):
        monkeypatch.setattr(module, "now_ms", lambda: now_ms() + 5_000)
    again = await wall.open()
    assert again is board
    headline = next(panel for panel in again.panels.values() if panel.kind == "stat").card.headline
    assert float(headline["number"]) > 50  # the new samples may share a bucket with the old ones


async def test_a_board_is_forgotten_after_its_last_viewer(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards_module, "_LINGER_S", 0.0)
    await wall.send(1.0)
    board = await wall.open()
    other = await wall.open("now-1h")
    assert other is not board
    assert len(wall.boards) == 2
    gone = weakref.ref(board)
    wall.boards.close(board)
    del board
    while len(wall.boards) > 1:
        await asyncio.sleep(0)
    gc.collect()
    assert gone() is None


async def test_a_range_that_cannot_be_read_leaves_nothing_behind(wall: Wall) -> None:
    with pytest.raises(ValidationFailed):
        await wall.open("yesterday")
    assert len(wall.boards) == 0


async def test_what_viewers_choose_is_theirs_and_shared_by_who_chose_the_same(wall: Wall) -> None:
    await wall.send(*range(30))
    host = Variable(name="host", metric="m", tag="host", multi=True)
    panel = {"title": "On $host", "type": "table", "query": "m", "options": {"tags": {"host": "$host"}, "groupBy": ["host"]}}
    wrong = {"title": "wrong", "type": "stat", "query": "m", "options": {"tags": {"host": "$hots"}}}
    owner, store = wall.dashboard.owner_id, Dashboards(wall.hub._database)
    made = await store.create(owner, DashboardRequest.model_validate({"name": "V", "variables": [host], "panels": [panel, wrong]}))

    async def open(*hosts: str) -> Board:
        return await wall.boards.open(made, TimeRange("now-15m", "now"), "1s", "dark", asked={"host": hosts})

    def seen(board: Board) -> tuple[str, list[str]]:
        card = board.panels[str(made.panels[0].id)].card
        return card.title, [row[0] for row in card.table["rows"]]

    everything, one, both = await open(), await open("b"), await open("b", "a")
    assert seen(everything) == ("On all", ["a", "b"])
    assert seen(one) == ("On b", ["b"])
    assert seen(both) == ("On a, b", ["a", "b"])
    assert await open("a", "b") is both
    assert [variable["chosen"] for variable in one.cards.variables] == [["b"]]
    card = one.panels[str(made.panels[1].id)].card
    assert (card.state, card.message) == ("error", "$hots is no variable of this dashboard; it has $host.")

    # Without All the first value is chosen, also on boards that are open when that changes.
    changed = await store.update(made.id, DashboardUpdate(variables=[host.model_copy(update={"all": False, "name": "hots"})]))
    await wall.boards.adopt(changed)
    card = everything.panels[str(made.panels[1].id)].card
    assert card.state == "live"
    assert 26 < float(card.headline["number"]) <= 29, "of host a alone; the newest buckets hold several samples"
    assert [variable["chosen"] for variable in everything.cards.variables] == [["a"]]
    assert everything.panels[str(made.panels[0].id)].card.state == "error"


class Told:
    """What alerts say."""

    def __init__(self) -> None:
        since = now_ms() - 60_000
        fields = {"rule_name": "Payroll late", "severity": "critical", "query": "m", "tags": {}}
        self.periods = [FiringPeriod.model_validate(fields | {"start_ms": since})]
        more = {"rule_id": uuid4(), "state": "firing", "since_ms": since, "value": None, "muted": False}
        self.instances = [ActiveAlert.model_validate(fields | more)]

    async def firing_periods(self, *_: object) -> list[FiringPeriod]:
        return self.periods

    async def active(self, **_: object) -> list[ActiveAlert]:
        return self.instances


async def test_boards_that_somebody_looks_at_follow_alerts(wall: Wall) -> None:
    told, store = Told(), Dashboards(wall.hub._database)
    boards = Boards(wall.hub, wall.boards.reader, told)
    panel = {"title": "Fires", "type": "alerts"}
    made = await store.create(wall.dashboard.owner_id, DashboardRequest.model_validate({"name": "A", "panels": [panel]}))
    board = await boards.open(made, TimeRange("now-15m", "now"), "1s", "dark")
    card, heard = board.panels[str(made.panels[0].id)].card, asyncio.Event()
    assert [row[3] for row in card.alerts] == ["Payroll late"]
    told.instances = []
    boards.mark()
    assert board._marking is None, "nobody looks on"
    board.join(lambda _: heard.set())
    boards.mark()
    await asyncio.wait_for(heard.wait(), 10)
    assert (card.state, card.alerts) == ("empty", [])


async def test_outside_readers_see_neither_alerts_nor_what_else_there_is_to_choose(wall: Wall) -> None:
    await wall.send(1.0)
    boards = Boards(wall.hub, wall.boards.reader, Told())
    host = Variable(name="host", values=["a", "secret-b"])
    dashboard = wall.dashboard.model_copy(update={"variables": [host]})
    shown = TimeRange("now-15m", "now")
    inside = (await boards.open(dashboard, shown, "10s", "dark")).drawing.picture()
    assert b"Payroll late" in inside
    assert b"secret-b" in inside
    outside = (await boards.open(dashboard, shown, "10s", "dark", outside=True)).drawing.picture()
    assert b"Payroll late" not in outside
    assert b"secret-b" not in outside
