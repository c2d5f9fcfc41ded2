"""The API as one app, mounted at ``/api/v1``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from dashapp.api import alerts, auth, dashboards, errors, metrics, openapi, panels, protocols, queries, reports, users
from dashapp.api.guard import Guard
from dashapp.services import Services

#: Looked through in this order at each request: what comes often comes first.
ROUTERS: tuple[APIRouter, ...] = (
    queries.router,
    metrics.router,
    protocols.router,
    auth.public,
    auth.router,
    dashboards.router,
    panels.router,
    reports.router,
    users.router,
    alerts.router,
)


class Api(FastAPI):
    """FastAPI with our own OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = openapi.document(self)
        return self.openapi_schema


def _operation_id(route: APIRoute) -> str:
    first, *rest = route.name.split("_")
    return first + "".join(part.title() for part in rest)


def create_api(services: Services | None) -> FastAPI:
    """The app to mount at `/api/v1`. Without services it only describes itself.

    The documentation pages of FastAPI stay off: they load scripts from other hosts.
    """
    app = Api(
        title="dashapp", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False,
        root_path_in_servers=False, generate_unique_id_function=_operation_id,
    )  # fmt: skip
    app.state.services = services
    app.state.routers = ROUTERS
    app.add_middleware(Guard)
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
