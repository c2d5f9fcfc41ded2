"""``/p/{token}``: a dashboard for everybody who has the link. No account, no session, no websocket.

The page is the same for all and asks for what changed since. However many look on, a link has one board for each
range and theme; the board asks the database once a tick, and an answer is written down once.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from dashapp.accounts.limits import Limits
from dashapp.accounts.throttle import network
from dashapp.contract.timerange import PICKER_RANGES, TimeRange
from dashapp.dashboards.store import CHANNEL
from dashapp.errors import DashappError, NotFound
from dashapp.pages.templates import page
from dashapp.pages.visitor import address_of
from dashapp.snapshots.inline import in_html

if TYPE_CHECKING:
    from dashapp.contract.dashboards import Dashboard
    from dashapp.live.board import Board
    from dashapp.live.boards import Boards
    from dashapp.live.drawing import Change
    from dashapp.panels.palette import Theme
    from dashapp.services import Services

log = logging.getLogger(__name__)

REFRESH_S = 10
#: Nobody asked for so long: the board is let go.
_LINGER_S = 60.0
#: A link that leads somewhere is looked up anew after so long; a change of it is told at once.
_KNOWN_S = 10.0
#: Links that are kept, the least recently used go first.
_MOST_LINKS = 1_000
#: Requests a second for one link, and of one address for links that lead nowhere: nobody can try them out.
_LINK_RATE, _MISS_RATE = 1_000.0, 5.0
_TOKEN = re.compile(r"[\w-]{32}")
_RANGES = dict(PICKER_RANGES)
_GONE = "This link leads nowhere, or not any more; ask the one who gave it to you."


@dataclass
class _Watched:
    """A board that somebody looks at through a link."""

    board: Board
    asked_at: float
    #: Answers by the change that the asker shows, of the board as it stands at `at`.
    answers: dict[int, bytes] = field(default_factory=dict)
    at: int = -1

    def listen(self, change: Change) -> None:
        """The board ticks as long as somebody listens; what changed is read off when asked."""

    def answer(self, board: int, shown: int) -> bytes:
        """What a page has to do that shows change `shown` of board number `board`."""
        drawing = self.board.drawing
        if self.at != drawing.at:
            self.answers, self.at = {}, drawing.at
        key = shown if board == drawing.number else -1
        if (known := self.answers.get(key)) is None:
            missed = drawing.since(key) if 0 <= key <= self.at else None
            known = self.answers[key] = drawing.picture() if missed is None else drawing.message(missed, self.at)
        return known


class Links:
    """What public links lead to, kept for a moment, and the boards behind them."""

    def __init__(self, services: Services, boards: Boards) -> None:
        self._services, self._boards = services, boards
        self._known: OrderedDict[str, tuple[float, Dashboard]] = OrderedDict()
        self._looking: dict[str, asyncio.Task[Dashboard]] = {}
        self._watched: dict[tuple[UUID, str, Theme], asyncio.Task[_Watched]] = {}
        self._rates, self._misses = Limits(_LINK_RATE), Limits(_MISS_RATE)
        services.notices.listen(CHANNEL, self._heard)

    def __len__(self) -> int:
        return len(self._watched)

    def _heard(self, payload: str) -> None:
        for token, (_, dashboard) in list(self._known.items()):
            if not payload or str(dashboard.id) == payload:
                del self._known[token]

    async def dashboard(self, token: str, address: str) -> Dashboard:
        """
        Raises:
            NotFound: the link leads nowhere.
            RateLimited: too much is asked of this link, or by this address of links that lead nowhere.
        """
        if not _TOKEN.fullmatch(token):
            raise NotFound(_GONE)
        at, dashboard = self._known.get(token, (0.0, None))
        if dashboard is None or time.monotonic() - at > _KNOWN_S:
            if token not in self._looking:
                if dashboard is None:
                    self._misses.take(network(address))
                self._looking[token] = asyncio.create_task(self._look_up(token))
                self._looking[token].add_done_callback(lambda _: self._looking.pop(token))
            dashboard = await asyncio.shield(self._looking[token])
        self._rates.take(token)
        return dashboard

    async def _look_up(self, token: str) -> Dashboard:
        """Once for all who ask meanwhile."""
        self._known.pop(token, None)
        dashboard_id = await self._services.published.dashboard_of(token)
        if dashboard_id is None:
            raise NotFound(_GONE)
        try:
            dashboard = await self._services.dashboards.get(dashboard_id)
        except NotFound:
            raise NotFound(_GONE) from None
        self._known[token] = time.monotonic(), dashboard
        while len(self._known) > _MOST_LINKS:
            self._known.popitem(last=False)
        return dashboard

    async def answer(self, dashboard: Dashboard, start: str, theme: Theme, board: int, shown: int) -> bytes:
        """What a page that shows this has to do, as JSON."""
        key = (dashboard.id, start, theme)
        if key not in self._watched:
            task = self._watched[key] = asyncio.create_task(self._watch(dashboard, start, theme))
            task.add_done_callback(lambda done: self._made(key, done))
        watched = await asyncio.shield(self._watched[key])
        watched.asked_at = time.monotonic()
        await watched.board.adopt(dashboard)
        return watched.answer(board, shown)

    async def _watch(self, dashboard: Dashboard, start: str, theme: Theme) -> _Watched:
        board = await self._boards.open(dashboard, TimeRange(start, "now"), f"{REFRESH_S}s", theme, outside=True)
        watched = _Watched(board, time.monotonic())
        board.join(watched.listen)
        return watched

    def _made(self, key: tuple[UUID, str, Theme], task: asyncio.Task[_Watched]) -> None:
        if task.cancelled() or task.exception():
            self._watched.pop(key, None)
        else:
            self._let_go_later(key, task.result())

    def _let_go_later(self, key: tuple[UUID, str, Theme], watched: _Watched) -> None:
        left = watched.asked_at + _LINGER_S - time.monotonic()
        asyncio.get_running_loop().call_later(max(left, 0.01), self._let_go, key, watched)

    def _let_go(self, key: tuple[UUID, str, Theme], watched: _Watched) -> None:
        if time.monotonic() - watched.asked_at < _LINGER_S:
            self._let_go_later(key, watched)
            return
        del self._watched[key]
        watched.board.leave(watched.listen)
        self._boards.close(watched.board)


def create_router(services: Services, boards: Boards) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    links = Links(services, boards)

    @router.get("/p/{token}")
    async def published(request: Request, token: str) -> Response:
        dashboard = await links.dashboard(token, address_of(request))
        start = _start(request)
        boot = {
            "alone": True, "canEdit": False, "board": f"/p/{token}/board", "start": start, "label": _RANGES[start],
            "refreshMs": REFRESH_S * 1000,
        }  # fmt: skip
        answer = page(
            "published.html", theme=request.cookies.get("dashapp_theme"), title=dashboard.name, label=_RANGES[start],
            boot=in_html(orjson.dumps(boot)),
        )  # fmt: skip
        answer.headers["X-Robots-Tag"] = "noindex"
        # The link is the secret: no address that the page leads to learns it.
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    @router.get("/p/{token}/board")
    async def board(request: Request, token: str) -> Response:
        asked = request.query_params
        try:
            dashboard = await links.dashboard(token, address_of(request))
            theme: Theme = "light" if asked.get("theme") == "light" else "dark"
            content = await links.answer(dashboard, _start(request), theme, _number(asked.get("board")), _number(asked.get("at")))
        except DashappError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
            return JSONResponse({"error": str(error), "code": error.code}, error.status, headers=headers)
        return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})

    return router


def _start(request: Request) -> str:
    """One of the usual ranges: a link has few boards, whatever is asked of it."""
    start = request.query_params.get("from", "")
    return start if start in _RANGES else "now-1h"


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else -1
