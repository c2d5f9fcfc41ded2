"""The boards of one server: viewers who look at the same share one, which lingers a little after the last of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dashapp.contract.timerange import TimeRange
from dashapp.live.board import Alerts, Board, Key
from dashapp.live.choices import choose

if TYPE_CHECKING:
    from dashapp.contract.dashboards import Dashboard
    from dashapp.live.hub import LiveHub
    from dashapp.metrics.query import Reader
    from dashapp.panels.palette import Theme

#: A board nobody looks at is kept so long, for the reload and the next viewer.
_LINGER_S = 60.0


class Boards:
    """The boards of one server, each held while somebody looks at it and a little longer."""

    def __init__(self, hub: LiveHub, reader: Reader, alerts: Alerts | None = None) -> None:
        self.hub, self.reader, self._alerts = hub, reader, alerts
        self._boards: dict[Key, asyncio.Task[Board]] = {}
        self._viewers: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._boards)

    async def open(
        self,
        dashboard: Dashboard,
        shown: TimeRange,
        refresh: str,
        theme: Theme,
        editor: int = 0,
        asked: Mapping[str, Iterable[str]] | None = None,
        *,
        outside: bool = False,
    ) -> Board:
        """The board that shows this; `close` it when the viewer is gone. Viewers who come together share the making.

        `asked` are the values that the viewer chose, by variable; `outside` is for readers without an account.

        Raises:
            ValidationFailed: the range can't be read.
        """
        asked = asked or {}
        chosen = await choose(self.reader, dashboard.variables, asked)
        said = tuple(variable.name for variable in dashboard.variables if asked.get(variable.name))
        key = Key(dashboard.id, shown.start, shown.end, refresh, theme, chosen, editor, outside, said)
        self._viewers[key] = self._viewers.get(key, 0) + 1
        try:
            if key not in self._boards:
                self._boards[key] = asyncio.create_task(self._make(dashboard, key))
            board = await asyncio.shield(self._boards[key])
            await board.adopt(dashboard)
            await board.freshen()
        except BaseException:
            self._leave(key)
            raise
        return board

    async def adopt(self, dashboard: Dashboard) -> None:
        """Bring every board of this dashboard to how it is stored now."""
        for key, making in list(self._boards.items()):
            if key.dashboard == dashboard.id:
                await (await asyncio.shield(making)).adopt(dashboard)

    def mark(self) -> None:
        """Show on the boards that somebody looks at what alerts say now."""
        for making in self._boards.values():
            if making.done() and not making.cancelled() and making.exception() is None:
                making.result().mark()

    def close(self, board: Board) -> None:
        """A viewer of this board is gone."""
        self._leave(board.key)

    async def _make(self, dashboard: Dashboard, key: Key) -> Board:
        board = Board(self.hub, self.reader, dashboard, key, self._alerts)
        try:
            await board.prepare()
        except BaseException:
            del self._boards[key]
            raise
        return board

    def _leave(self, key: Key) -> None:
        self._viewers[key] -= 1
        if not self._viewers[key]:
            asyncio.get_running_loop().call_later(_LINGER_S, self._forget, key)

    def _forget(self, key: Key) -> None:
        if self._viewers.get(key) == 0:
            del self._viewers[key]
            self._boards.pop(key, None)
