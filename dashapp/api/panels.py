"""Single panels."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from dashapp.accounts.permissions import require, required
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed
from dashapp.contract.dashboards import Panel, PanelTypes, PanelUpdate
from dashapp.panels.form import panel_form

router = APIRouter(prefix="/panels", tags=["Panels"], route_class=SignedInRoute)


@router.get("/types", response_model=Data[PanelTypes])
async def panel_types(actor: Signed) -> Response:
    """The types of panels, and the fields of their options: what a form needs to offer them."""
    require(actor, "dashboard.read")
    return data(panel_form())


@router.put("/{panel_id:uuid}", response_model=Data[Panel])
async def update_panel(actor: Signed, panel_id: UUID, body: PanelUpdate, services: Parts) -> Response:
    """Change what is given; `options` are replaced as a whole. A stale `version` changes nothing."""
    await required(actor, "dashboard.change", services.dashboards.panel_dashboard, panel_id)
    return data(await services.dashboards.update_panel(panel_id, body))


@router.delete("/{panel_id:uuid}", status_code=204)
async def delete_panel(
    actor: Signed,
    panel_id: UUID,
    services: Parts,
    version: Annotated[int | None, Query(description="The dashboard's version that this change was made on.")] = None,
) -> Response:
    """Remove a panel from its dashboard. It can be restored for a week."""
    await required(actor, "dashboard.change", services.dashboards.panel_dashboard, panel_id)
    await services.dashboards.delete_panel(panel_id, version)
    return nothing()


@router.post("/{panel_id:uuid}/restore", response_model=Data[Panel])
async def restore_panel(actor: Signed, panel_id: UUID, services: Parts) -> Response:
    """Take a deletion back, up to a week later: the same panel, where it stood."""
    await required(actor, "dashboard.change", services.dashboards.deleted_panel_dashboard, panel_id)
    return data(await services.dashboards.restore_panel(panel_id))
