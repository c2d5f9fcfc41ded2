"""The pages on the server's FastAPI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from dashapp.alerts.events import CHANNEL
from dashapp.errors import DashappError
from dashapp.live.boards import Boards
from dashapp.pages import account, alerts, dashboard, explore, home, published, signin
from dashapp.pages.assets import Assets, asset_folders
from dashapp.pages.templates import page
from dashapp.pages.visitor import NotSignedIn, to_login

if TYPE_CHECKING:
    from bokeh_fastapi import BokehFastAPI

    from dashapp.services import Services

_TITLES = {403: "Not allowed", 404: "Not found", 429: "Too many tries", 503: "The database is away"}


def mount_pages(app: FastAPI, services: Services) -> tuple[BokehFastAPI, Boards]:
    """Add all pages; answers the Panel application behind the dashboards, and what they show."""
    for name, root, directory in asset_folders():
        app.mount(root, Assets(directory), name=name)
    app.include_router(signin.create_router(services))
    app.include_router(account.create_router(services))
    app.include_router(alerts.create_router(services))
    app.include_router(explore.create_router(services))
    app.include_router(home.create_router(services))
    boards = Boards(services.hub, services.reader, services.history)
    services.notices.listen(CHANNEL, lambda _: boards.mark())
    app.include_router(published.create_router(services, boards))
    application = dashboard.mount(app, services, boards)

    @app.exception_handler(NotSignedIn)
    async def sign_in_first(request: Request, _: NotSignedIn) -> Response:
        return to_login(request)

    @app.exception_handler(DashappError)
    async def failed(request: Request, error: DashappError) -> Response:
        return _message(request, error.status, str(error), error.retry_after)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return _message(request, error.status_code, "There is no page here; the list of dashboards shows what there is.", None)

    return application, boards


def _message(request: Request, status: int, sentence: str, retry_after: int | None) -> Response:
    if request.url.path.startswith("/api/"):
        # What no route of the API takes, such as a path with a line break in it, is still asked by a program.
        return JSONResponse({"error": "There is nothing at this address.", "code": "NOT_FOUND"}, 404)
    response = page(
        "message.html", status, theme=request.cookies.get("dashapp_theme"), title=_TITLES.get(status, "Something went wrong"),
        sentence=sentence[:1].upper() + sentence[1:], retry=status == 503,
    )  # fmt: skip
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response
