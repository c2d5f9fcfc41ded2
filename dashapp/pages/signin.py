"""Signing in and out: the form, and the one-time link that `dashapp up` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashapp.accounts.browser import COOKIE, expired_cookie, is_secure, same_origin, session_cookie
from dashapp.accounts.provider import TICKET_SECONDS, ProviderAway
from dashapp.errors import DashappError, Forbidden, RateLimited, Unauthorized, ValidationFailed
from dashapp.pages.templates import page
from dashapp.pages.visitor import address_of, local_path, visitor

if TYPE_CHECKING:
    from dashapp.accounts.provider import Provider
    from dashapp.services import Services

#: A sign-in form holds an e-mail, a password and a path.
_MOST_BYTES = 16_384
#: The cookie that a browser carries while it is away at the provider.
_TICKET = "dashapp_oidc"


def create_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    def form(request: Request, *, email: str = "", problem: str = "", following: str = "/", status: int = 200) -> Response:
        return page(
            "login.html", status, theme=request.cookies.get("dashapp_theme"), email=email, problem=problem, following=following,
            provider=services.oidc.name if services.oidc else "",
        )  # fmt: skip

    @router.get("/login")
    async def login_form(request: Request) -> Response:
        following = local_path(request.query_params.get("next"))
        if await visitor(request, services):
            return RedirectResponse(following, 303)
        return form(request, following=following)

    @router.post("/login")
    async def login(request: Request) -> Response:
        _refuse_foreign(request, services)
        fields = await _form_fields(request)
        email, following = fields.get("email", ""), local_path(fields.get("next"))
        try:
            _, secret = await services.accounts.login(
                email, fields.get("password", ""), address=address_of(request), user_agent=request.headers.get("user-agent", "")
            )
        except (Unauthorized, RateLimited) as error:
            problem = str(error) if isinstance(error, RateLimited) else "This e-mail and password don't match an account."
            return form(request, email=email, problem=problem, following=following, status=error.status)
        # A sign-in starts a session of its own, and the one that the browser had before is over.
        if before := request.cookies.get(COOKIE):
            await services.accounts.logout(before, address=address_of(request))
        return _entered(request, services, following, secret)

    @router.get("/signin")
    async def redeem(request: Request, token: str = "") -> Response:
        """The link works once. Whoever is signed in already keeps their session and the link its use."""
        following = local_path(request.query_params.get("next"))
        if await visitor(request, services):
            return RedirectResponse(following, 303)
        try:
            _, secret = await services.accounts.redeem_link(
                token, address=address_of(request), user_agent=request.headers.get("user-agent", "")
            )
        except DashappError as error:
            if error.status >= 500:
                raise
            return form(
                request, problem="This sign-in link was used already or is too old; start dashapp again for a new one.",
                following=following, status=401,
            )  # fmt: skip
        return _entered(request, services, following, secret)

    if services.oidc:
        _add_provider(router, services, services.oidc, form)

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        _refuse_foreign(request, services)
        if secret := request.cookies.get(COOKIE):
            await services.accounts.logout(secret, address=address_of(request))
        response = RedirectResponse("/login", 303)
        response.headers["Set-Cookie"] = expired_cookie(secure=is_secure(request.url.scheme, services.settings.base_url))
        return response

    return router


def _add_provider(router: APIRouter, services: Services, provider: Provider, form: Callable[..., Response]) -> None:
    """The way to the provider and the way back."""

    def secure(request: Request) -> bool:
        return is_secure(request.url.scheme, services.settings.base_url)

    def back(request: Request) -> str:
        return (services.settings.base_url or str(request.base_url)).rstrip("/") + "/oidc/callback"

    @router.get("/oidc/login")
    async def leave(request: Request) -> Response:
        following = local_path(request.query_params.get("next"))
        if await visitor(request, services):
            return RedirectResponse(following, 303)
        try:
            url, ticket = await provider.begin(back(request), following)
        except ProviderAway as error:
            return form(request, problem=str(error), following=following, status=error.status)
        response = RedirectResponse(url, 303)
        response.set_cookie(
            _TICKET, ticket, TICKET_SECONDS, path="/oidc", secure=secure(request), httponly=True, samesite="lax"
        )  # fmt: skip
        response.headers["Cache-Control"] = "no-store"
        return response

    @router.get("/oidc/callback")
    async def come_back(request: Request) -> Response:
        try:
            email, following = await provider.finish(request.cookies.get(_TICKET, ""), request.query_params, back(request))
            _, secret = await services.accounts.vouched(
                email, provider.role, address=address_of(request), user_agent=request.headers.get("user-agent", "")
            )
        except (Unauthorized, ProviderAway, ValidationFailed) as error:
            response = form(request, problem=str(error), status=error.status)
        else:
            if before := request.cookies.get(COOKIE):
                await services.accounts.logout(before, address=address_of(request))
            response = _entered(request, services, following, secret)
        # A ticket is for one way there and back.
        response.delete_cookie(_TICKET, path="/oidc", secure=secure(request), httponly=True, samesite="lax")
        response.headers["Cache-Control"] = "no-store"
        return response


def _entered(request: Request, services: Services, following: str, secret: str) -> Response:
    response = RedirectResponse(following, 303)
    response.headers["Set-Cookie"] = session_cookie(secret, secure=is_secure(request.url.scheme, services.settings.base_url))
    # The one-time token in the address is nobody else's business, used or not.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _refuse_foreign(request: Request, services: Services) -> None:
    if not same_origin(request.headers, base_url=services.settings.base_url):
        raise Forbidden("sign-in and sign-out come from dashapp's own pages only.")


async def _form_fields(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Forbidden("this form is too large.")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}
