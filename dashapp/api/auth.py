"""Sign-in, and the tokens that programs send."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from dashapp.accounts.browser import COOKIE, expired_cookie, is_secure, session_cookie
from dashapp.accounts.permissions import require
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import PublicRoute, SignedInRoute
from dashapp.api.identity import Parts, Signed, address_of
from dashapp.contract.accounts import Login, NewToken, PasswordChange, Session, Token, TokenRequest, User
from dashapp.contract.base import Model

public = APIRouter(prefix="/auth", tags=["Sign-in"], route_class=PublicRoute)
router = APIRouter(prefix="/auth", tags=["Sign-in"], route_class=SignedInRoute)


class SignedOut(Model):
    signed_out: bool


def _secure(request: Request, services: Parts) -> bool:
    return is_secure(request.url.scheme, services.settings.base_url)


@public.post("/login", response_model=Data[User])
async def login(request: Request, body: Login, services: Parts) -> Response:
    """Sign in. Sets the cookie `dashapp_session` and answers the user."""
    agent = request.headers.get("user-agent", "")
    user, secret = await services.accounts.login(body.email, body.password, address=address_of(request), user_agent=agent)
    if before := request.cookies.get(COOKIE):
        await services.accounts.logout(before, address=address_of(request))
    return data(user, headers={"Set-Cookie": session_cookie(secret, secure=_secure(request, services))})


@public.post("/logout", response_model=Data[SignedOut])
async def logout(request: Request, services: Parts) -> Response:
    """End the session and remove its cookie; without a session nothing happens."""
    if secret := request.cookies.get(COOKIE):
        await services.accounts.logout(secret, address=address_of(request))
    return data(SignedOut(signed_out=True), headers={"Set-Cookie": expired_cookie(secure=_secure(request, services))})


@router.get("/me", response_model=Data[User])
async def me(actor: Signed) -> Response:
    """Who is signed in, or who the token's owner is."""
    return data(actor.user)


@router.put("/password", response_model=Data[User])
async def change_password(request: Request, actor: Signed, body: PasswordChange, services: Parts) -> Response:
    """A new password for yourself. It ends your other sessions; tokens stay."""
    require(actor, "account.secure")
    secret = request.cookies.get(COOKIE)
    await services.accounts.change_password(actor.user, body, secret, address=address_of(request))
    return data(actor.user)


@router.get("/sessions", response_model=Data[list[Session]])
async def list_sessions(request: Request, actor: Signed, services: Parts) -> Response:
    """Where you are signed in, the last used first."""
    require(actor, "account.secure")
    return data(await services.accounts.sessions(actor.user, request.cookies.get(COOKIE, "")))


@router.delete("/sessions", status_code=204)
async def end_sessions(request: Request, actor: Signed, services: Parts) -> Response:
    """Sign out everywhere, here too."""
    require(actor, "account.secure")
    await services.accounts.end_sessions(actor.user)
    response = nothing()
    response.headers["Set-Cookie"] = expired_cookie(secure=_secure(request, services))
    return response


@router.delete("/sessions/{session_id:uuid}", status_code=204)
async def end_session(actor: Signed, session_id: UUID, services: Parts) -> Response:
    """Sign out somewhere, at once: pages that are open there close within 10 s."""
    require(actor, "account.secure")
    await services.accounts.end_session(actor.user, session_id)
    return nothing()


@router.get("/tokens", response_model=Data[list[Token]])
async def list_tokens(actor: Signed, services: Parts) -> Response:
    """Your tokens, newest first, without their text."""
    require(actor, "account.read")
    return data(await services.accounts.list_tokens(actor.user))


@router.post("/tokens", status_code=201, response_model=Data[NewToken])
async def create_token(actor: Signed, body: TokenRequest, services: Parts) -> Response:
    """Make a token. Its text is in this answer and never shown again."""
    require(actor, "account.change")
    return data(await services.accounts.create_token(actor.user, body), status=201)


@router.delete("/tokens/{token_id:uuid}", status_code=204)
async def delete_token(actor: Signed, token_id: UUID, services: Parts) -> Response:
    """Revoke one of your tokens, at once."""
    require(actor, "account.change")
    await services.accounts.delete_token(actor.user, token_id)
    return nothing()
