"""``/account``: one's own password, sessions and tokens. ``/users`` and ``/audit``: what admins see of everybody."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashapp.accounts.browser import COOKIE
from dashapp.accounts.permissions import Actor, require
from dashapp.contract.accounts import Role, Scope
from dashapp.contract.durations import humanize_ms
from dashapp.pages.templates import page
from dashapp.pages.visitor import signed_in, theme_cookie

if TYPE_CHECKING:
    from dashapp.services import Services

_ENTRIES_A_PAGE = 100
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python-httpx")
_SYSTEMS = ("Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux")
_CALLED = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS", "python-httpx": "Python"}


def ago(moment: datetime | None) -> str:
    """``3 h ago``, or in how long."""
    if moment is None:
        return "never"
    ms = (datetime.now(UTC) - moment) / timedelta(milliseconds=1)
    if ms < 0:
        return f"in {humanize_ms(60_000 - ms)}"
    return "just now" if ms < 60_000 else f"{humanize_ms(ms)} ago"


def device(user_agent: str) -> str:
    """A user agent as people know it: ``Firefox on Linux``."""
    browser = next((name for name in _BROWSERS if re.search(rf"{name}/", user_agent)), None)
    system = next((name for name in _SYSTEMS if name in user_agent), None)
    named = [_CALLED.get(part, part) for part in (browser, system) if part]
    return " on ".join(named) or user_agent[:40] or "Unknown browser"


def create_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    helps: dict[str, Any] = {"ago": ago, "device": device}

    @router.get("/account")
    async def account(request: Request) -> Response:
        user = await signed_in(request, services)
        sessions = await services.accounts.sessions(user, request.cookies[COOKIE])
        tokens = await services.accounts.list_tokens(user)
        has_password = await services.accounts.has_password(user)
        return page(
            "account.html", theme=theme_cookie(request), user=user, sessions=sessions, tokens=tokens,
            has_password=has_password, scopes=get_args(Scope), **helps,
        )  # fmt: skip

    @router.get("/users")
    async def users(request: Request) -> Response:
        user = await signed_in(request, services)
        require(Actor(user), "users.read")
        accounts = await services.users.everybody()
        return page("users.html", theme=theme_cookie(request), user=user, accounts=accounts, roles=get_args(Role), **helps)

    @router.get("/audit")
    async def audit(request: Request) -> Response:
        user = await signed_in(request, services)
        require(Actor(user), "audit.read")
        asked = request.query_params
        number = int(asked["page"]) if re.fullmatch(r"[1-9]\d{0,5}", asked.get("page", "")) else 1
        by = asked.get("by", "").replace("\x00", "").strip() or None
        entries, total = await services.users.audit(number, _ENTRIES_A_PAGE, actor=by)
        return page(
            "audit.html", theme=theme_cookie(request), user=user, entries=entries, by=by or "", number=number,
            pages=max(1, -(-total // _ENTRIES_A_PAGE)), total=total, **helps,
        )  # fmt: skip

    return router
