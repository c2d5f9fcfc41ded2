"""What the kernel answers the page in a notebook's cell."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

import dashapp
from dashapp.build import Dashboard, gauge, line
from dashapp.client import Client
from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery, Selection
from dashapp.contract.timerange import TimeRange
from dashapp.errors import Conflict, ValidationFailed
from dashapp.notebook import component
from dashapp.notebook.alone import AlonePanel
from dashapp.notebook.view import View
from dashapp.panels import PANELS, LinePanel, StatPanel


def send(client: Client, name: str, values: list[float], *, step: str = "10s", back: str = "0s") -> None:
    end = pd.Timestamp.now("UTC").floor("s") - pd.Timedelta(back)
    client.push(pd.Series(values, pd.date_range(end=end, periods=len(values), freq=step, name="time"), name=name))


async def told(view: View, before: dict[str, Any] | None = None, theme: str = "light") -> dict[str, Any]:
    asked = {"theme": theme, "board": (before or {}).get("board", 0), "at": (before or {}).get("at", 0)}
    answer = await view.answer(asked)
    return {**orjson.loads(answer["told"]), "every": answer["every"]}


def card(view: View) -> Any:
    assert view._board is not None
    return next(iter(view._board.panels.values())).card


async def test_frames_are_what_panels_are_given(client: Client) -> None:
    send(client, "seen.frames", [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0], step="1s", back="60s")
    end = int(pd.Timestamp.now("UTC").timestamp() * 1000)
    queries = [MetricQuery.over(Selection(query=name), end - 600_000, end, step=5_000) for name in ("seen.frames", "seen.nothing")]
    frame, nothing = await asyncio.wrap_future(client.soon(client.asynchronous.frames(queries)))
    assert isinstance(frame, Frame)
    assert isinstance(nothing, Frame)
    assert nothing.empty
    assert frame.series[0].counts.sum() == 7
    assert np.average(frame.series[0].values, weights=frame.series[0].counts) == pytest.approx(16 / 7)


async def test_a_panel_alone_is_drawn_then_told_what_changed(client: Client) -> None:
    send(client, "seen.alone", [5.0, 6.0])
    panel = LinePanel(query="seen.alone", unit="percent", last="15m", refresh="2s")
    view = AlonePanel(panel, client)
    first = await told(view)
    assert first["document"]
    assert first["every"] == 2_000
    assert (card(view).state, card(view).title, card(view).legend[0][2:]) == ("live", "seen.alone", ["6.0%", "5.5%", "6.0%"])
    nothing = await told(view, first)
    assert nothing["patches"] == []
    panel.title, panel.unit = "Renamed", "short"
    changed = await told(view, nothing)
    assert changed["board"] == first["board"]
    assert "document" not in changed
    assert (card(view).title, card(view).legend[0][2]) == ("Renamed", "6.00")
    dark = await told(view, changed, "dark")
    assert view._board is not None
    assert view._board.parts.theme == "dark"
    # Another range is another picture; a fixed one isn't asked for again.
    panel.last, panel.start, panel.end = None, "now-1h", "now-1m"
    fixed = await told(view, dark)
    assert fixed["board"] != first["board"]
    assert fixed["every"] == 0
    panel.refresh = "off"
    assert (await told(view))["every"] == 0


@pytest.mark.parametrize("kind", list(PANELS))
async def test_every_type_stands_alone(kind: str, client: Client) -> None:
    send(client, "seen.kinds", [5.0, 6.0])
    asked = {"query": "seen.kinds"} if PANELS[kind].asks else {"content": "# Words"} if kind == "text" else {}
    view = AlonePanel(PANELS[kind](**asked), client)
    await told(view)
    # Alerts are the server's to list.
    assert card(view).state == ("empty" if kind == "alerts" else "live")
    assert component(PANELS[kind](**asked)).title


async def test_what_is_missing_is_said(client: Client) -> None:
    send(client, "seen.old", [1.0], back="5h")
    old = AlonePanel(StatPanel(query="seen.old"), client)
    # What comes late stands in the rollups within half a minute; an empty panel asks again each time.
    deadline = time.monotonic() + 40
    while "; the newest is " not in (await told(old) and card(old).message):
        assert time.monotonic() < deadline, card(old).message
        await asyncio.sleep(0.1)
    with pytest.raises(ValidationFailed, match=r"asks for a metric; LinePanel\(query=…\)"):
        component(LinePanel())
    with pytest.raises(ValidationFailed, match="query: "):
        LinePanel(query="no metric")
    with dashapp.connect("http://127.0.0.1:9", "nothing") as nobody:
        away = AlonePanel(StatPanel(query="seen.old"), nobody)
        await told(away)
        assert (card(away).state, "can't be reached" in card(away).message) == ("error", True)


async def test_a_dashboard_is_changed_and_put_back(client: Client) -> None:
    send(client, "seen.board", [5.0, 6.0])
    client.put_dashboard(
        Dashboard("Seen").row(gauge("One", "seen.board"), line("Two", "seen.board", queries=[{"query": "seen.old"}]))
    )
    board = client.dashboard("Seen", last="6h", refresh="off")
    assert repr(board) == "<Dashboard 'Seen', version 1, 2 panels>"
    assert board.shown == TimeRange("now-6h", "now")
    view = View(client, board, board.shown, board.refresh)
    await told(view)
    ids = [panel.id for panel in board.panels]
    board.change("One", title="First", unit="percent", thresholds={"warning": 80})
    board.change(ids[1], by="host", step="1m")
    for wrong, message in ({"unit": "stones"}, "options.unit: "), ({"colour": "red"}, "^colour: panels have no such option"):
        with pytest.raises(ValidationFailed, match=message):
            board.change("First", **wrong)
    with pytest.raises(ValidationFailed, match="'One' names no panel"):
        board.panel("One")
    board.save()
    assert board.version == 2
    stored = client.dashboard("Seen")
    assert [panel.id for panel in stored.panels] == ids, "links to panels stay"
    assert stored.panel("First").options.thresholds.warning == 80
    assert stored.panel("Two").options.queries[0].query == "seen.old"
    stored.change("First", title="Other")
    stored.save()
    board.change("First", title="Mine")
    with pytest.raises(Conflict, match="'Seen' was changed by somebody else since version 2, so nothing was saved"):
        board.save()
    board.reload()
    assert board.panels[0].title == "Other"
    link = client.publish(board.id)
    assert link == client.publish("Seen")
    client.unpublish(board.id)
