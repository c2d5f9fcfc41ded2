"""Dashboards."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from dashapp.accounts.permissions import require, required
from dashapp.api import body as bodies
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed, querying
from dashapp.api.paging import Page, Paged
from dashapp.contract.dashboards import (
    Dashboard,
    DashboardRequest,
    DashboardSummary,
    DashboardUpdate,
    Panel,
    PanelDefinition,
    PublicLink,
)
from dashapp.contract.documents import document_of, dump
from dashapp.contract.timerange import TimeRange
from dashapp.contract.variables import asked_in
from dashapp.dashboards.files import read_text
from dashapp.errors import PayloadTooLarge, ValidationFailed
from dashapp.live.hub import now_ms
from dashapp.snapshots.snapshot import file_name, snapshot

router = APIRouter(prefix="/dashboards", tags=["Dashboards"], route_class=SignedInRoute)


#: Bytes of a dashboard's file: a hundred panels with twenty queries each have less.
_LARGEST_FILE = 1024 * 1024
_YAML = {"application/yaml": {"schema": {"$ref": "#/components/schemas/DashboardDocument"}}}
_HTML = {"text/html": {"schema": {"type": "string", "description": "One file, to be kept or sent on."}}}
_YAML_BODY = {"requestBody": {"required": True, "content": _YAML}}


@router.get("", response_model=Page[DashboardSummary])
async def list_dashboards(actor: Signed, services: Parts, paging: Paged) -> Response:
    """The dashboards that you may see, by name."""
    require(actor, "dashboard.read")
    return paging.answer(*await services.dashboards.list_for(actor.user.id, actor.is_admin, paging.page, paging.page_size))


@router.post("", status_code=201, response_model=Data[Dashboard])
async def create_dashboard(actor: Signed, body: DashboardRequest, services: Parts) -> Response:
    """Make a dashboard. Panels without a position are put in rows below the others."""
    require(actor, "dashboard.create")
    return data(await services.dashboards.create(actor.user.id, body), status=201)


@router.post("/import", response_model=Data[Dashboard], responses={"201": {"model": Data[Dashboard]}}, openapi_extra=_YAML_BODY)
async def import_dashboard(
    request: Request,
    actor: Signed,
    services: Parts,
    file: Annotated[str, Query(max_length=255, description="The file's name, for messages.")] = "dashboard.yaml",
    version: Annotated[int | None, Query(description="The dashboard's version that this change was made on.")] = None,
) -> Response:
    """Make a dashboard what a YAML text says: that of its `id`, else your own of its `name`, else a new one (201).
    Panels that are still meant keep their ids."""
    require(actor, "dashboard.create")
    raw = await bodies.read(request)
    if len(raw) > _LARGEST_FILE:
        raise PayloadTooLarge("A dashboard's file is at most 1 MiB.")
    document = await asyncio.to_thread(read_text, raw, file)
    known = await services.dashboards.meant_by(document, actor.user.id)
    if known is None:
        return data(await services.dashboards.create(actor.user.id, document), status=201)
    require(actor, "dashboard.change", known)
    return data(await services.dashboards.replace(known.id, document, version))


@router.get("/{dashboard_id:uuid}/definition", response_class=Response, responses={"200": {"content": _YAML}})
async def dashboard_definition(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """The dashboard as YAML, as `POST /dashboards/import` takes it."""
    dashboard = await required(actor, "dashboard.read", services.dashboards.get, dashboard_id)
    text = await asyncio.to_thread(dump, document_of(dashboard))
    return Response(text, media_type="application/yaml", headers={"ETag": f'"{dashboard.version}"'})


@router.get(
    "/{dashboard_id:uuid}/snapshot",
    response_class=Response,
    responses={"200": {"content": _HTML}},
    dependencies=[Depends(querying)],
)
async def dashboard_snapshot(
    request: Request,
    actor: Signed,
    dashboard_id: UUID,
    services: Parts,
    start: Annotated[str, Query(alias="from", max_length=64, description="`now-6h` or ISO 8601.")] = "now-24h",
    end: Annotated[str, Query(alias="to", max_length=64, description="`now`, `now-1h` or ISO 8601.")] = "now",
) -> Response:
    """The dashboard over a range as one HTML file that opens from disk and asks nobody for anything. `var-host=a` chooses
    values of its variables, as in the page's link."""
    dashboard = await required(actor, "dashboard.read", services.dashboards.get, dashboard_id)
    shown, moment = _shown(start, end), now_ms()
    content = await snapshot(services.hub, services.reader, dashboard, shown, asked_in(request.query_params.multi_items()))
    disposition = f'attachment; filename="{file_name(dashboard, moment)}"'
    return Response(content, media_type="text/html", headers={"Content-Disposition": disposition})


def _shown(start: str, end: str) -> TimeRange:
    """
    Raises:
        ValidationFailed: `details` names the side that can't be read.
    """
    shown = TimeRange(start, end)
    for name, alone in (("from", TimeRange(start, "2100-01-01")), ("to", TimeRange("1970-01-01", end)), ("from", shown)):
        try:
            alone.resolve(now_ms())
        except ValidationFailed as error:
            raise ValidationFailed(str(error), details={name: str(error)}) from None
    return shown


@router.post("/{dashboard_id:uuid}/publish", response_model=Data[PublicLink], responses={"201": {"model": Data[PublicLink]}})
async def publish_dashboard(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """Show the dashboard to everybody who has its public link: the one that it has already, else a new one (201)."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    link, new = await services.published.publish(dashboard_id)
    return data(link, status=201 if new else 200)


@router.get("/{dashboard_id:uuid}/publish", response_model=Data[PublicLink])
async def public_link(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """The dashboard's public link; 404 where it has none."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    return data(await services.published.link(dashboard_id))


@router.delete("/{dashboard_id:uuid}/publish", status_code=204)
async def unpublish_dashboard(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """End the dashboard's public link for good; a later one is another."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    await services.published.revoke(dashboard_id)
    return nothing()


@router.get("/{dashboard_id:uuid}", response_model=Data[Dashboard])
async def get_dashboard(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """One dashboard with its panels. A panel that can't be drawn as it is stored says so in `error`."""
    dashboard = await required(actor, "dashboard.read", services.dashboards.get, dashboard_id)
    return data(dashboard)


@router.put("/{dashboard_id:uuid}", response_model=Data[Dashboard])
async def update_dashboard(actor: Signed, dashboard_id: UUID, body: DashboardUpdate, services: Parts) -> Response:
    """Change what is given. `layout` moves all the panels it names at once; a stale `version` changes nothing."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    return data(await services.dashboards.update(dashboard_id, body))


@router.delete("/{dashboard_id:uuid}", status_code=204)
async def delete_dashboard(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """Delete a dashboard with its panels. It can be restored for a week."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    await services.dashboards.delete(dashboard_id)
    return nothing()


@router.post("/{dashboard_id:uuid}/restore", response_model=Data[Dashboard])
async def restore_dashboard(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """Take a deletion back, up to a week later."""
    await required(actor, "dashboard.change", services.dashboards.deleted, dashboard_id)
    return data(await services.dashboards.restore(dashboard_id))


@router.post("/{dashboard_id:uuid}/panels", status_code=201, response_model=Data[Panel], tags=["Panels"])
async def add_panel(
    actor: Signed,
    dashboard_id: UUID,
    body: PanelDefinition,
    services: Parts,
    version: Annotated[int | None, Query(description="The dashboard's version that this change was made on.")] = None,
) -> Response:
    """Add a panel. Without a position it goes below all others."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    return data(await services.dashboards.add_panel(dashboard_id, body, version), status=201)
