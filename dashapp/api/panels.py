"""Single panels."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from dashapp.accounts.permissions import require, require_scope
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed
from dashapp.contract.dashboards import Panel, PanelUpdate

router = APIRouter(prefix="/panels", tags=["Panels"], route_class=SignedInRoute)


@router.put("/{panel_id}", response_model=Data[Panel])
async def update_panel(actor: Signed, panel_id: UUID, body: PanelUpdate, services: Parts) -> Response:
    """Change what is given; `options` are replaced as a whole. A stale `version` changes nothing."""
    require_scope(actor, "dashboard.change")
    require(actor, "dashboard.change", await services.dashboards.panel_dashboard(panel_id))
    return data(await services.dashboards.update_panel(panel_id, body))


@router.delete("/{panel_id}", status_code=204)
async def delete_panel(actor: Signed, panel_id: UUID, services: Parts) -> Response:
    """Remove a panel from its dashboard."""
    require_scope(actor, "dashboard.change")
    require(actor, "dashboard.change", await services.dashboards.panel_dashboard(panel_id))
    await services.dashboards.delete_panel(panel_id)
    return nothing()
