"""Around every request of the API: an id, no caching by anyone between, and a 500 that shows nothing internal."""

from __future__ import annotations

import secrets

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashapp.api.errors import internal_error
from dashapp.logs import request_id


class Guard:
    """ASGI middleware. It answers unforeseen exceptions itself, because the framework's own handler raises them again
    through the app that this one is mounted in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # An app around this one may have chosen the id already.
        identifier = scope.setdefault("dashapp.request_id", secrets.token_hex(8))
        request_id.set(identifier)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = [(key, value) for key, value in message.get("headers", []) if key.lower() != b"x-request-id"]
                headers.append((b"x-request-id", identifier.encode()))
                if not any(key.lower() == b"cache-control" for key, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except Exception:
            response = internal_error(scope)
            if not started:
                await response(scope, receive, send_with_headers)
