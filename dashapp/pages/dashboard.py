"""``/d/{id}``: one dashboard. The shell goes out at once, so that the browser loads scripts while the plots are made."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import panel as pn
from bokeh.settings import settings as bokeh_settings
from bokeh_fastapi.handler import DocHandler
from fastapi import APIRouter, FastAPI, Request
from panel.io.fastapi import add_applications
from starlette.responses import Response, StreamingResponse
from starlette.routing import WebSocketRoute

from dashapp.accounts.permissions import Actor, allowed
from dashapp.contract.durations import parse_ms
from dashapp.contract.timerange import PICKER_RANGES, PICKER_REFRESH, TimeRange
from dashapp.contract.variables import asked_in
from dashapp.errors import NotFound, ValidationFailed
from dashapp.live.hub import now_ms
from dashapp.pages.admission import Admission
from dashapp.pages.assets import asset
from dashapp.pages.sockets import keep_gate
from dashapp.pages.templates import render
from dashapp.pages.view import DashboardView
from dashapp.pages.visitor import signed_in, theme_of
from dashapp.pages.watch import Watch
from dashapp.snapshots.inline import in_html

if TYPE_CHECKING:
    from bokeh_fastapi import BokehFastAPI

    from dashapp.contract.accounts import User
    from dashapp.contract.dashboards import Dashboard
    from dashapp.live.boards import Boards
    from dashapp.services import Services

log = logging.getLogger(__name__)

PATH = "/d/{dashboard_id}"
# It looks for mistakes in hand-written layouts each time a document is sent; the panels' tests do that for ours.
bokeh_settings.perform_document_validation = False
#: The view that the session being created is for: prepared by the route, picked up by `_build` in the same task.
_opening: ContextVar[DashboardView | None] = ContextVar("opening", default=None)


def _build() -> None:
    view = _opening.get()
    if view is not None:
        view.build(pn.state.curdoc)


async def dashboard_for(services: Services, user: User, dashboard_id: str) -> Dashboard:
    """
    Raises:
        NotFound: there is no such dashboard, or the user may not know of it.
    """
    try:
        dashboard = await services.dashboards.get(UUID(dashboard_id))
    except ValueError:
        raise NotFound("there is no such dashboard; the list of dashboards shows what there is.") from None
    if not allowed(Actor(user), "dashboard.read", dashboard):
        raise NotFound("there is no such dashboard; the list of dashboards shows what there is.")
    return dashboard


def shown_range(request: Request) -> tuple[TimeRange, str, str]:
    """(range, refresh, problem) of the link; what can't be read is replaced by the default and said."""
    query = request.query_params
    refresh, problem = query.get("refresh", "10s"), ""
    shown = TimeRange(query.get("from", "now-1h"), query.get("to", "now"))
    try:
        shown.resolve(now_ms())
    except ValidationFailed as error:
        shown, problem = TimeRange(), str(error)
    try:
        if refresh != "off" and parse_ms(refresh) < 1000:
            raise ValueError("a page refreshes every second at most")
    except ValueError as error:
        refresh, problem = "10s", problem or str(error)
    return shown, refresh, problem


def mount(app: FastAPI, services: Services, boards: Boards) -> BokehFastAPI:
    """The page, and the Panel application behind it."""
    router = APIRouter(include_in_schema=False)
    handlers: dict[str, DocHandler] = {}
    watch = Watch(services, boards)

    @router.get(PATH)
    async def page(request: Request, dashboard_id: str) -> Response:
        user = await signed_in(request, services)
        dashboard = await dashboard_for(services, user, dashboard_id)
        return StreamingResponse(
            _document(services, boards, watch, handlers["doc"], request, user, dashboard),
            media_type="text/html",
            headers={"Cache-Control": "no-store"},
        )

    app.include_router(router)
    own = list(app.router.routes)
    application = add_applications(
        {PATH: _build},
        app=app,
        title="dashapp",
        location=False,
        secret_key=services.settings.key().encode(),
        sign_sessions=True,
        check_unused_sessions_milliseconds=5_000,
        unused_session_lifetime_milliseconds=15_000,
    )
    # Of what comes with it only the websocket is used: its page would be rendered for anybody, its assets for no page of ours.
    app.router.routes[:] = [route for route in app.router.routes if route in own or isinstance(route, WebSocketRoute)]
    context = application._applications[PATH]
    handlers["doc"] = DocHandler(application, context)

    keep_gate(application, Admission(services))
    return application


async def _document(
    services: Services, boards: Boards, watch: Watch, handler: DocHandler, request: Request, user: User, dashboard: Dashboard
) -> AsyncIterator[str]:
    shown, refresh, problem = shown_range(request)
    theme = theme_of(request)
    yield render("dashboard_head.html", theme=request.cookies.get("dashapp_theme"), title=dashboard.name)
    can_edit = allowed(Actor(user), "dashboard.change", dashboard)
    view = DashboardView(
        boards,
        dashboard,
        shown=shown,
        refresh=refresh,
        theme=theme,
        can_edit=can_edit,
        variables=asked_in(request.query_params.multi_items()),
    )
    view.state.problem = problem
    watch.add(view, user)
    try:
        board = await view.prepare()
        _opening.set(view)
        session = await handler.get_session(request, None)
    except BaseException:
        view.close()
        raise
    records = sorted(board.dashboard.panels, key=lambda record: (record.position.y, record.position.x))
    boot: dict[str, Any] = {
        "token": session.token,
        "stateId": view.state.id,
        "theme": theme,
        "dashboardId": str(dashboard.id),
        "canEdit": can_edit,
        "gridstack": asset("vendor/gridstack/gridstack-all.js"),
        "editor": asset("js/edit/mode.js"),
        "editorStyle": asset("css/edit.css"),
        "keyList": asset("js/keylist.js"),
        # What a scheduled report can be: whether mails can be sent, and whether this user may have files kept.
        "reports": {"mail": bool(services.settings.smtp_url.get_secret_value()), "folder": allowed(Actor(user), "report.file")},
    }
    yield render(
        "dashboard_body.html",
        user=user,
        dashboard=dashboard,
        can_edit=can_edit,
        view=view,
        board=board,
        records=records,
        boot=in_html(orjson.dumps(boot)),
        picture=in_html(board.drawing.picture()),
        ranges=PICKER_RANGES,
        refreshes=PICKER_REFRESH,
        shown=shown,
        refresh=refresh,
        rows=max((record.position.y + record.position.h for record in records), default=0),
        kiosk=request.query_params.get("kiosk") == "1",
    )
