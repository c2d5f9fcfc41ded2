"""The list of dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashapp.pages.templates import page
from dashapp.pages.visitor import to_login, visitor

if TYPE_CHECKING:
    from dashapp.services import Services


def create_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def home(request: Request) -> Response:
        user = await visitor(request, services)
        if user is None:
            return to_login(request)
        dashboards, _ = await services.dashboards.list_for(user.id, is_admin=user.role == "admin", page=1, page_size=200)
        return page("home.html", theme=request.cookies.get("dashapp_theme"), user=user, dashboards=dashboards)

    return router
