"""Who may have a page's websocket open: asked before one opens, and again every few seconds of all that are open.

So a sign-out, an ended session, another role or a dashboard made private closes open pages, whichever process it
happened in. All sockets of a process are asked about at once, in two statements. An open page counts as use of its
session.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from starlette.websockets import WebSocket

from dashapp.accounts.browser import COOKIE, same_origin
from dashapp.accounts.permissions import Actor, allowed
from dashapp.errors import DashappError

if TYPE_CHECKING:
    from dashapp.services import Services

log = logging.getLogger(__name__)

#: Seconds between two rounds; what was taken away may show for so long.
EVERY_SECONDS = 4.0
#: What the websocket is closed with when its page may not stay, and when it never could.
REFUSED = 4403
_SIGNED_OUT = "nobody is signed in"
_HIDDEN = "there is no such dashboard"


class Admission:
    """The open sockets of one process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._open: set[WebSocket] = set()
        self._task: asyncio.Task[None] | None = None

    async def refusal(self, socket: WebSocket) -> str | None:
        """Why this socket may not open, or None where it may."""
        if not same_origin(socket.headers, base_url=self._services.settings.base_url):
            return f"pages of {socket.headers.get('origin')} may not open it"
        try:
            return (await self._refusals([socket])).get(socket)
        except DashappError as error:
            return str(error)

    def enter(self, socket: WebSocket) -> None:
        """Keep asking about `socket` until it leaves."""
        self._open.add(socket)
        if self._task is None:
            self._task = asyncio.create_task(self._rounds(), name="dashapp-admission")

    def leave(self, socket: WebSocket) -> None:
        self._open.discard(socket)

    async def _refusals(self, sockets: list[WebSocket]) -> dict[WebSocket, str]:
        secrets = {socket: socket.cookies.get(COOKIE, "") for socket in sockets}
        ids = {socket: _uuid(socket.path_params["dashboard_id"]) for socket in sockets}
        users = await self._services.accounts.by_sessions({secret for secret in secrets.values() if secret})
        boards = await self._services.dashboards.owned({key for key in ids.values() if key})
        refused: dict[WebSocket, str] = {}
        for socket in sockets:
            user, board = users.get(secrets[socket]), boards.get(ids[socket] or UUID(int=0))
            if user is None:
                refused[socket] = _SIGNED_OUT
            elif board is None or not allowed(Actor(user), "dashboard.read", board):
                refused[socket] = _HIDDEN
        return refused

    async def _rounds(self) -> None:
        try:
            while self._open:
                await asyncio.sleep(EVERY_SECONDS)
                try:
                    refused = await self._refusals(list(self._open))
                except DashappError:
                    continue  # with the database away nothing can be said, and there is nothing new to see
                for socket, reason in refused.items():
                    log.info("closing a websocket on %s: %s", socket.url.path, reason)
                    self.leave(socket)
                    with suppress(RuntimeError):  # it has just closed by itself
                        await socket.close(REFUSED, reason)
        finally:
            self._task = None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
