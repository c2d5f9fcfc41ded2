"""The list of dashboards, each with a small picture of its first panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from dashapp.accounts.permissions import Actor, allowed
from dashapp.contract.frames import Frame
from dashapp.contract.gaps import stretches
from dashapp.contract.metrics import MetricQuery
from dashapp.contract.variables import refers
from dashapp.live.hub import now_ms
from dashapp.pages.templates import page
from dashapp.pages.visitor import signed_in, visitor

if TYPE_CHECKING:
    from dashapp.contract.accounts import User
    from dashapp.contract.dashboards import DashboardSummary, Panel
    from dashapp.contract.metrics import Selection
    from dashapp.services import Services

#: Dashboards that the list holds; the search narrows them in the browser.
_MOST = 200
#: A picture shows the last hour by the minute.
_SPAN_MS, _STEP_MS = 3_600_000, 60_000
#: Pictures that one answer draws: what is further down is rarely looked at.
_MOST_PICTURES = 60


def create_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    async def shown(user: User) -> list[DashboardSummary]:
        found, _ = await services.dashboards.list_for(user.id, is_admin=user.role == "admin", page=1, page_size=_MOST)
        return found

    @router.get("/")
    async def home(request: Request) -> Response:
        user = await signed_in(request, services)
        actor, dashboards = Actor(user), await shown(user)
        groups = {"Yours": [], "Public": [], "Private, of others": []}  # type: dict[str, list[DashboardSummary]]
        for dashboard in dashboards:
            name = "Yours" if dashboard.owner_id == user.id else "Public" if dashboard.is_public else "Private, of others"
            groups[name].append(dashboard)
        return page(
            "home.html",
            theme=request.cookies.get("dashapp_theme"),
            user=user,
            groups=[(name, group) for name, group in groups.items() if group],
            may=lambda dashboard: allowed(actor, "dashboard.change", dashboard),
            may_create=allowed(actor, "dashboard.create"),
        )

    @router.get("/pictures")
    async def pictures(request: Request) -> Response:
        """For each dashboard the course of its first panel's first series, from 0 to 1, null where there is no sample."""
        user = await visitor(request, services)
        if user is None:
            return JSONResponse({}, 401)
        firsts = await services.dashboards.first_panels([one.id for one in (await shown(user))[:_MOST_PICTURES]])
        end = now_ms()
        asked = {dashboard_id: asked_first for dashboard_id, panel in firsts.items() if (asked_first := _first(panel))}
        # Many dashboards show the same: each query is asked once.
        keys = {dashboard_id: selection.model_dump_json() for dashboard_id, selection in asked.items()}
        distinct = {keys[dashboard_id]: selection for dashboard_id, selection in asked.items()}
        queries = [MetricQuery.over(selection, end - _SPAN_MS, end, step=_STEP_MS) for selection in distinct.values()]
        answers = dict(zip(distinct, await services.reader.frames(queries), strict=True))
        drawn = {str(dashboard_id): _course(answers[key], end - _SPAN_MS) for dashboard_id, key in keys.items()}
        return JSONResponse(
            {"data": {name: course for name, course in drawn.items() if course}}, headers={"Cache-Control": "no-store"}
        )

    return router


def _first(panel: Panel) -> Selection | None:
    """What the panel's first query asks for, whatever its dashboard's variables are."""
    selection = next((selection for selection, _ in panel.selections()), None) if panel.error is None else None
    if selection is None:
        return None
    return selection.model_copy(update={"tags": {key: value for key, value in selection.tags.items() if not refers(value)}})


def _course(frame: object, start_ms: int) -> list[list[list[float]]]:
    """[[x, y] …] from 0 to 1 of a frame's first series, in stretches between gaps; empty where there is none."""
    if not isinstance(frame, Frame) or frame.empty or not frame.series:
        return []
    values = frame.series[0].values
    parts = stretches(frame.times, values, frame.step_ms)
    if sum(part.size for part in parts) < 2:
        return []
    x = (frame.times - start_ms) / _SPAN_MS
    # Zero-based where that still shows the course.
    least, high = float(np.nanmin(values)), float(np.nanmax(values))
    low = least if least > 0.7 * high else min(least, 0.0)
    y = (values - low) / (high - low) if high > low else np.full(values.size, 0.5)
    return [[[round(float(x[at]), 4), round(float(y[at]), 3)] for at in part] for part in parts]
