"""A dashboard, or a panel alone, as a board that a notebook shows: drawn in the kernel as a server draws it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashapp.contract.durations import parse_ms
from dashapp.contract.timerange import TimeRange
from dashapp.errors import DashappError
from dashapp.live.board import Board, Key
from dashapp.live.choices import choose
from dashapp.notebook.source import Source
from dashapp.notebook.stage import Stage

if TYPE_CHECKING:
    from dashapp.client import Client
    from dashapp.contract.dashboards import Dashboard
    from dashapp.panels.palette import Theme


class View:
    """Shows `dashboard` over a range. The numbers come through `client`, when the page in the notebook asks."""

    def __init__(self, client: Client, dashboard: Dashboard, shown: TimeRange, refresh: str = "10s") -> None:
        self.dashboard, self.shown, self.refresh = dashboard, shown, refresh
        self._source = Source(client)
        self._board: Board | None = None
        self._turn = asyncio.Lock()
        self._count = dashboard.version
        #: The Panel component that is the picture.
        self.stage = Stage(self.answer, title=dashboard.name, rows=_rows(dashboard))

    def show(self, dashboard: Dashboard, shown: TimeRange | None = None, refresh: str | None = None) -> None:
        """Show this from now on; panels that didn't change stay as they are."""
        if shown is not None and shown != self.shown:
            self.shown, self._board = shown, None
        # Boards take what is newer than what they show.
        self._count += 1
        self.dashboard = dashboard.model_copy(update={"version": self._count})
        self.refresh = refresh or self.refresh
        self.stage.nudge()

    async def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What a page has to do that shows the change `at` of the board `board`, and after how many ms to ask again."""
        every = parse_ms(self.refresh) if self.refresh != "off" and self.shown.live else 0
        theme: Theme = "light" if asked.get("theme") == "light" else "dark"
        # Several cells may show this: one after the other they find it fresh.
        async with self._turn:
            try:
                board = await self._brought(theme)
            except DashappError as error:
                return {"error": str(error), "every": every}
        drawing = board.drawing
        missed = drawing.since(int(asked["at"])) if asked.get("board") == drawing.number else None
        told = drawing.picture() if missed is None else drawing.message(missed, drawing.at)
        return {"told": told.decode(), "every": every}

    async def _brought(self, theme: Theme) -> Board:
        """The board as it is to be seen now."""
        board = self._board
        if board is None:
            chosen = await choose(self._source, self.dashboard.variables, {})
            key = Key(self.dashboard.id, self.shown.start, self.shown.end, "off", theme, chosen)
            board = Board(self._source, self._source, self.dashboard, key)
            await board.prepare()
            self._board = board
        else:
            if board.dashboard is not self.dashboard:
                await board.adopt(self.dashboard)
            await board.freshen()
        if board.parts.theme != theme:
            board.dress(theme)
        return board


def _rows(dashboard: Dashboard) -> int:
    return max((panel.position.y + panel.position.h for panel in dashboard.panels), default=4)
