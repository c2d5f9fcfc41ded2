"""A dashboard over one range as one HTML file: the board's drawing, and what the page would have loaded to show it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import orjson

from dashapp.contract.timerange import TimeRange, from_ms
from dashapp.live.board import Board, Key
from dashapp.live.choices import choose
from dashapp.live.hub import now_ms
from dashapp.snapshots import inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dashapp.contract.dashboards import Dashboard
    from dashapp.live.hub import LiveHub
    from dashapp.metrics.query import Reader
    from dashapp.panels.palette import Theme

_FIRST: Theme = "dark"


async def snapshot(
    hub: LiveHub, reader: Reader, dashboard: Dashboard, shown: TimeRange, asked: Mapping[str, Iterable[str]]
) -> bytes:
    """The file. It holds what the dashboard shows over the range and nothing else of the server.

    `asked` are the values that are chosen, by variable.

    Raises:
        ValidationFailed: the range can't be read.
    """
    chosen = await choose(reader, dashboard.variables, asked)
    board = Board(hub, reader, dashboard, Key(dashboard.id, shown.start, shown.end, "off", _FIRST, chosen, outside=True))
    await board.prepare()
    # Nobody else has this board, so that writing it down needn't hold the loop.
    return await asyncio.to_thread(_write, board, dashboard, now_ms())


def file_name(dashboard: Dashboard, at_ms: int, mark: str = "") -> str:
    """What the file is called where nobody says: ``this-host-2026-11-25-0800.html``; `mark` stands before the ending."""
    slug = re.sub(r"[^a-z0-9]+", "-", dashboard.name.lower()).strip("-")[:60] or "dashboard"
    return f"{slug}-{from_ms(at_ms):%Y-%m-%d-%H%M}{mark}.html"


def _write(board: Board, dashboard: Dashboard, made_ms: int) -> bytes:
    picture = board.drawing.picture()
    # The reader may switch the theme: what then changes is kept beside the picture.
    light, dark = board.dress("light"), board.dress("dark")
    drawing = b'{"picture":%s,"themes":{"light":%s,"dark":%s}}' % (picture, light, dark)
    start, end = (int(side) for side in board.cards.range_ms)
    records = sorted(dashboard.panels, key=lambda record: (record.position.y, record.position.x))
    text = inline.page(
        "snapshot",
        name=dashboard.name,
        description=dashboard.description,
        range=f"{from_ms(start):%Y-%m-%d %H:%M} – {from_ms(end):%Y-%m-%d %H:%M} UTC",
        made=f"{from_ms(made_ms):%Y-%m-%d %H:%M} UTC",
        records=records,
        rows=max((record.position.y + record.position.h for record in records), default=0),
        board=board,
        boot=inline.in_html(orjson.dumps({"alone": True, "canEdit": False, "first": _FIRST, "madeMs": made_ms})),
        theme_script=inline.script("theme"),
        drawing=inline.packed(drawing),
    )
    return text.encode()
