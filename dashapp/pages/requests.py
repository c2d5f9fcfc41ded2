"""Around every request of the server: an id, a line in the log, and a page instead of a traceback."""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashapp.logs import request_id
from dashapp.pages.templates import page

_PUBLIC_LINK = re.compile(r"^/p/[^/]+")
log = logging.getLogger("dashapp.requests")
_SENTENCE = "Something went wrong inside dashapp; its log says what, under the request {}."


def told(path: str) -> str:
    """A path as the log tells it: whoever reads a public link there would have the link."""
    return _PUBLIC_LINK.sub("/p/…", path)


class Requests:
    """ASGI middleware. The API below it takes the id that is made here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        identifier = scope["dashapp.request_id"] = secrets.token_hex(8)
        request_id.set(identifier)
        begun, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = identifier
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("%s %s failed", scope.get("method", "WS"), told(scope["path"]))
            if scope["type"] == "http" and not status:
                said = _SENTENCE.format(identifier)
                answer = page("message.html", 500, theme=None, title="Something went wrong", sentence=said, retry=False)
                await answer(scope, receive, send_with_id)
        finally:
            if log.isEnabledFor(logging.INFO):
                fields = {
                    "method": scope.get("method", "WS"), "path": told(scope["path"]), "status": status,
                    "ms": round((time.perf_counter() - begun) * 1000, 1), "client": (scope.get("client") or [""])[0],
                }  # fmt: skip
                log.info("%(method)s %(path)s %(status)s in %(ms)s ms", fields, extra={"fields": fields})
