"""One viewer of a dashboard: which board the page shows, and what the page still has to be told of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import orjson
from bokeh.document import Document
from pydantic import ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import PanelDefinition
from dashapp.contract.timerange import TimeRange
from dashapp.errors import DashappError, ValidationFailed
from dashapp.live.board import Board, Draft
from dashapp.live.boards import Boards
from dashapp.live.drawing import Change
from dashapp.panels.card import PageState

if TYPE_CHECKING:
    from dashapp.contract.dashboards import Dashboard
    from dashapp.panels.palette import Theme

log = logging.getLogger(__name__)


class DashboardView:
    """Made before the page is sent: `await prepare()`, then `build` the session's document, `close` with the session."""

    def __init__(
        self,
        boards: Boards,
        dashboard: Dashboard,
        *,
        shown: TimeRange,
        refresh: str,
        theme: Theme,
        can_edit: bool = False,
        variables: dict[str, list[str]] | None = None,
    ) -> None:
        self.boards, self.dashboard, self.can_edit = boards, dashboard, can_edit
        self.state = PageState(start=shown.start, end=shown.end, refresh=refresh, theme=theme, variables=variables or {})
        #: Called when the viewer is gone.
        self.closed: list[Callable[[], None]] = []
        self.document: Document | None = None
        self.board: Board | None = None
        #: The change up to which the page has been told; None until it says what it shows.
        self._told: int | None = None
        self._waiting: list[Change] = []
        self._moving = False
        self._closed = False
        self._draft: Draft | None = None

    async def prepare(self) -> Board:
        """The board that the page shows first.

        Raises:
            ValidationFailed: the range can't be read.
        """
        self.board = await self._open()
        return self.board

    def build(self, document: Document) -> None:
        """Put the page's state into the session's document."""
        self.document = document
        document.title = self.dashboard.name
        # The page's script says that a connection is lost and comes back by itself.
        document.config.notify_connection_status = False
        document.config.reconnect_session = False
        document.add_root(self.state)
        for name in ("start", "end", "refresh", "theme", "variables", *(("editing",) if self.can_edit else ())):
            self.state.on_change(name, lambda _name, _old, _new: self._move_soon())
        if self.can_edit:
            self.state.on_change("draft", lambda _name, _old, new: self._take_draft(new))
        self.state.on_change("shown", lambda _name, _old, new: self._soon(partial(self._catch_up, list(new))))
        for name in ("visible", "asked"):
            self.state.on_change(name, lambda _name, _old, _new: self._soon(self._look))
        self.state.on_change("retry", lambda _name, _old, new: self._soon(partial(self._retry, str(new[0]))))
        document.on_session_destroyed(lambda _context: self.close())

    def close(self) -> None:
        """The viewer is gone."""
        self._closed = True
        self.document = None
        self._let_go()
        while self.closed:
            self.closed.pop()()

    def withdraw(self, sentence: str) -> None:
        """The dashboard is gone, or no longer this viewer's to see: keep nothing fresh and say so."""

        async def say() -> None:
            self._let_go()
            self.state.problem = sentence

        self._soon(say)

    # -- which board ---------------------------------------------------------------------------------------------

    def _open(self) -> Awaitable[Board]:
        state = self.state
        editor = id(self) if state.editing and self.can_edit else 0
        shown = TimeRange(state.start, state.end)
        return self.boards.open(self.dashboard, shown, state.refresh, state.theme, editor, state.variables)

    def _let_go(self) -> None:
        board, self.board, self._told, self._waiting = self.board, None, None, []
        if board is not None:
            board.leave(self._on_change)
            self.boards.close(board)

    def _move_soon(self) -> None:
        """The range, the refresh or the theme changed; they may come one after the other."""
        if not self._moving:
            self._moving = True
            self._soon(self._move)

    async def _move(self) -> None:
        self._moving = False
        try:
            board = await self._open()
        except ValidationFailed as error:
            self.state.problem = str(error)
            return
        if self._closed:
            self.boards.close(board)
            return
        if self.board is not None and self.board.shown != board.shown:
            self.state.problem = ""
        self._let_go()
        self.board = board
        await self._show_draft()
        self._show()

    # -- what the page shows -------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Send the whole board; the page answers with `shown`."""
        assert self.board is not None
        self.state.picture = self.board.drawing.picture().decode()

    async def _catch_up(self, shown: list[int]) -> None:
        """The page says what it shows: from here on it is told what changes."""
        board = self.board
        if board is None or len(shown) != 2 or shown[0] != board.drawing.number:
            return
        self._told = shown[1]
        await self._look()

    async def _look(self) -> None:
        """A page that can be seen is told of changes, and first of those that it missed."""
        board = self.board
        if board is None or self._told is None:
            return
        if not self.state.visible:
            board.leave(self._on_change)
            return
        await board.freshen()
        if self.board is not board or self._closed:
            return
        board.join(self._on_change)
        missed = board.drawing.since(self._told)
        if missed is None:
            self._told, self._waiting = None, []
            self._show()
        elif missed:
            self._send(missed)

    # -- what is being edited ------------------------------------------------------------------------------------

    def _take_draft(self, text: str) -> None:
        draft, problems = None, {}
        if text:
            try:
                fields = orjson.loads(text)
                panel_id = str(fields.pop("id"))
                draft = (panel_id, PanelDefinition.model_validate(fields))
            except (ValueError, AttributeError, KeyError) as error:
                problems = from_pydantic(error).details or {} if isinstance(error, ValidationError) else {"body": "no panel"}
        if problems != self.state.draft_problems:
            self.state.draft_problems = problems
        if not problems:
            self._draft = draft
            self._soon(self._show_draft)

    async def _show_draft(self) -> None:
        # Other viewers see what is saved.
        if self.board is not None and self.board.key.editor:
            await self.board.draft(self._draft)

    async def _retry(self, panel_id: str) -> None:
        if self.board is not None:
            await self.board.retry(panel_id)

    # -- told ----------------------------------------------------------------------------------------------------

    def _on_change(self, change: Change) -> None:
        if self.document is None or self._told is None:
            return
        self._waiting.append(change)
        if len(self._waiting) == 1:
            self.document.add_next_tick_callback(self._flush)

    def _flush(self) -> None:
        changes, self._waiting = self._waiting, []
        if changes and self._told is not None:
            self._send(changes)

    def _send(self, changes: list[Change]) -> None:
        """Needs the document's lock."""
        board, told = self.board, self._told
        new = [change for change in changes if told is not None and change.number > told]
        if board is None or not new:
            return
        self._told = new[-1].number
        self.state.changes = board.drawing.message(new, self._told).decode()

    # -- the document's lock -------------------------------------------------------------------------------------

    def _soon(self, act: Callable[[], Awaitable[None]]) -> None:
        """Run under the document's lock, after the change that asked for it."""
        if self.document is None:
            return

        async def guarded() -> None:
            if self._closed:
                return
            try:
                await act()
            except DashappError as error:
                self.state.problem = str(error)
            except Exception:
                log.exception("a page of dashboard %s failed", self.dashboard.id)
                self.state.problem = "something went wrong on this page; reload it, the server's log says why."

        self.document.add_next_tick_callback(guarded)
