"""Headers that tell browsers what a page of dashapp may do, on every answer of the server.

A script runs where it comes from this server as a file, or carries the answer's nonce; nothing is evaluated, nothing
comes from elsewhere, and no other site may frame a page. An answer that needs another policy sets its own.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashapp.accounts.browser import is_secure

_nonce: ContextVar[str] = ContextVar("nonce", default="")

#: For pages. Styles may be inline: Bokeh puts its own into shadow roots, and a panel's place is an attribute.
_PAGE = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: For everything that is no page: shown by itself, it may do nothing at all.
_DATA = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ONE_YEAR = "max-age=31536000"


def nonce() -> str:
    """The nonce of the answer under way, for scripts that stand in a page itself."""
    return _nonce.get()


class SecurityHeaders:
    """ASGI middleware around the whole server."""

    def __init__(self, app: ASGIApp, base_url: str = "") -> None:
        self.app, self._base_url = app, base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fresh = secrets.token_urlsafe(16)
        _nonce.set(fresh)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                headers.setdefault("Content-Security-Policy", _PAGE.format(nonce=fresh) if is_page else _DATA)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                if is_secure(scope["scheme"], self._base_url):
                    headers.setdefault("Strict-Transport-Security", _ONE_YEAR)
            await send(message)

        await self.app(scope, receive, send_with_headers)
