"""Who asks: a token in ``Authorization``, or the session cookie of a page of our own."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Request

from dashapp.accounts.browser import COOKIE, same_origin
from dashapp.accounts.permissions import Actor
from dashapp.database.audit import Who, acting
from dashapp.errors import Forbidden, Unauthorized
from dashapp.services import Services

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def refuse_foreign_page(request: Request) -> None:
    """
    Raises:
        Forbidden: a page of another origin makes the visitor's browser send a change.
    """
    if request.method in _SAFE_METHODS:
        return
    if not same_origin(request.headers, base_url=services_of(request).settings.base_url):
        raise Forbidden("This change comes from a page of another origin; programs send a token in the Authorization header.")


async def identify(request: Request) -> Actor:
    """The actor, once a request; a token wins over a cookie, and a bad token isn't made good by one.

    Raises:
        Unauthorized: neither, or one that isn't valid.
        Forbidden: a cookie came with a change from another origin.
        RateLimited: too many requests come from this user or token.
        Unavailable: the database can't be reached.
    """
    known: Actor | None = request.scope.get("dashapp.actor")
    if known is None:
        known = request.scope["dashapp.actor"] = await _identify(request)
        services_of(request).limits.take(known.token_id or known.user.id)
        acting(Who(known.user.id, known.user.email, known.token, address_of(request)))
    return known


def address_of(request: Request) -> str:
    """The network address that the request came from, as far as the proxies in between are believed."""
    return request.client.host if request.client else ""


async def _identify(request: Request) -> Actor:
    accounts = services_of(request).accounts
    authorization = request.headers.get("authorization")
    if authorization is not None:
        found = await accounts.by_recent_token(_token_of(request, authorization))
        if found is None:
            raise Unauthorized("This token isn't valid, or not any more.")
        return Actor(found.user, found.scope, found.id, found.name)
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise Unauthorized()
    refuse_foreign_page(request)
    user = await accounts.by_recent_session(secret)
    if user is None:
        raise Unauthorized("Your session has ended; sign in again.")
    return Actor(user)


def _token_of(request: Request, authorization: str) -> str:
    """The token in the header: ``Bearer``, ``Token`` as InfluxDB's clients write it, or the password of ``Basic``."""
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer" | "token":
            return rest.strip()
        case "basic":
            refuse_foreign_page(request)  # browsers send this scheme by themselves, as they send cookies
            with suppress(ValueError):
                return b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    raise Unauthorized("The Authorization header takes `Bearer` and a token.")


Signed = Annotated[Actor, Depends(identify)]


async def _parts(request: Request) -> Services:
    return services_of(request)  # a dependency that is no coroutine runs in a thread


Parts = Annotated[Services, Depends(_parts)]


async def querying(actor: Signed, services: Parts) -> AsyncIterator[None]:
    """A turn among the user's queries."""
    async with services.limits.query(actor.user.id):
        yield
