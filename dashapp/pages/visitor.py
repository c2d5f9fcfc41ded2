"""Who looks at a page: the cookie, and where one is sent who has none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from dashapp.accounts.browser import COOKIE
from dashapp.errors import Unauthorized

if TYPE_CHECKING:
    from dashapp.contract.accounts import User
    from dashapp.panels.palette import Theme
    from dashapp.services import Services

THEME_COOKIE = "dashapp_theme"


async def visitor(connection: HTTPConnection, services: Services) -> User | None:
    """The signed-in user, or None.

    Raises:
        Unavailable: the database can't say.
    """
    secret = connection.cookies.get(COOKIE)
    return await services.accounts.by_session(secret) if secret else None


class NotSignedIn(Unauthorized):
    """This page is for whoever has signed in: `mount_pages` sends others to sign in first."""


async def signed_in(request: Request, services: Services) -> User:
    """The signed-in user.

    Raises:
        NotSignedIn: there is none.
        Unavailable: the database can't say.
    """
    user = await visitor(request, services)
    if user is None:
        raise NotSignedIn()
    return user


def theme_cookie(request: Request) -> str | None:
    """The theme that the visitor chose, if it is one."""
    return request.cookies.get(THEME_COOKIE)


def theme_of(request: Request) -> Theme:
    return "light" if request.cookies.get(THEME_COOKIE) == "light" else "dark"


def to_login(request: Request) -> Response:
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/login" if there == "/" else f"/login?next={quote(there, safe='')}", 303)


def local_path(text: str | None) -> str:
    """Where to go after sign-in: a path on this server and nothing else."""
    parts = urlsplit(text or "/")
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or (text or "/")[:2] in ("//", "/\\"):
        return "/"
    return text or "/"


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""
