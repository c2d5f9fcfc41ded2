"""The websocket of a page: who may open it, and what happens when it closes.

bokeh-fastapi 0.1.8 has two holes that a wall display would die of. It never notices a closed socket
(bokeh-fastapi#19: ``receive()`` returns the disconnect message, nothing raises, ``client_lost`` is never called), so
that sessions and their callbacks stay for ever; and it never calls its own ``check_origin``, so that any site's page
may open a session's socket. Both are closed here, around its `WSHandler.ws_connect`; tests hold that they stay closed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from bokeh.protocol.exceptions import ProtocolError
from bokeh.util.token import check_token_signature, get_session_id
from bokeh_fastapi.handler import WSHandler
from starlette.websockets import WebSocket

if TYPE_CHECKING:
    from bokeh_fastapi import BokehFastAPI

log = logging.getLogger(__name__)


class Gate(Protocol):
    """Decides about sockets, before they open and while they are open."""

    async def refusal(self, socket: WebSocket) -> str | None:
        """Why it may not be opened, or None where it may."""

    def enter(self, socket: WebSocket) -> None: ...
    def leave(self, socket: WebSocket) -> None: ...


_connect = WSHandler.ws_connect


async def _guarded_connect(self: Any, websocket: WebSocket) -> None:
    gate: Gate | None = getattr(self.application, "dashapp_gate", None)
    refusal = await gate.refusal(websocket) if gate else None
    protocols = websocket.scope.get("subprotocols") or []
    if refusal is None and (len(protocols) != 2 or not _known_session(self, protocols[1])):
        # The models' ids are made when the page is rendered: a session made anew here could not fit it.
        refusal = "the page's session is over; reload the page"
    if refusal is not None:
        log.info("refused a websocket on %s: %s", websocket.url.path, refusal)
        await websocket.close(4403, refusal)
        return
    if gate:
        gate.enter(websocket)
    try:
        await _connect(self, websocket)
    except (RuntimeError, ProtocolError) as error:
        log.info("a websocket on %s was refused: %s", websocket.url.path, error)
    finally:
        if gate:
            gate.leave(websocket)
        if self.connection is not None:
            self.application.client_lost(self.connection)


def _known_session(handler: Any, token: str) -> bool:
    application = handler.application
    try:
        signed = check_token_signature(token, signed=application.sign_sessions, secret_key=application.secret_key)
        return signed and get_session_id(token) in handler.application_context._sessions
    except Exception:  # a token that isn't one
        return False


WSHandler.ws_connect = _guarded_connect


def keep_gate(application: BokehFastAPI, gate: Gate) -> None:
    """Ask `gate` before any socket of this application is opened, and tell it of those that are."""
    application.dashapp_gate = gate


def open_sessions(application: BokehFastAPI) -> int:
    """Page sessions held, with a viewer or waiting to be dropped."""
    return sum(len(context._sessions) for context in application._applications.values())
