"""Scheduled reports of dashboards."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends, Response

from dashapp.accounts.permissions import Actor, require, required
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed, querying
from dashapp.contract.dashboards import Dashboard
from dashapp.contract.reports import Report, ReportRequest, ReportUpdate

router = APIRouter(tags=["Reports"], route_class=SignedInRoute)


# Reports hold addresses and say what goes out of the house: they are seen and changed by those who change the dashboard.


async def _report(actor: Actor, services: Parts, report_id: UUID) -> Report:
    async def dashboard_of(key: UUID) -> Dashboard:
        return await services.dashboards.get((await services.reports.get(key)).dashboard_id)

    await required(actor, "dashboard.change", dashboard_of, report_id)
    return await services.reports.get(report_id)


@router.get("/dashboards/{dashboard_id:uuid}/reports", response_model=Data[list[Report]])
async def list_reports(actor: Signed, dashboard_id: UUID, services: Parts) -> Response:
    """The dashboard's scheduled reports, with when each is due next and how the last one went."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    return data(await services.reports.of(dashboard_id))


@router.post("/dashboards/{dashboard_id:uuid}/reports", status_code=201, response_model=Data[Report])
async def create_report(actor: Signed, dashboard_id: UUID, body: ReportRequest, services: Parts) -> Response:
    """Have the dashboard's snapshot sent by mail, kept in a folder of the server (admins only), or both, at set times."""
    await required(actor, "dashboard.change", services.dashboards.get, dashboard_id)
    if body.folder is not None:
        require(actor, "report.file")
    return data(await services.reports.create(actor.user, dashboard_id, body), status=201)


@router.put("/reports/{report_id:uuid}", response_model=Data[Report])
async def update_report(actor: Signed, report_id: UUID, body: ReportUpdate, services: Parts) -> Response:
    """Change what is given. You become the report's owner: it shows what you may see. `paused` alone leaves it whose it is."""
    report = await _report(actor, services, report_id)
    given = body.given()
    if given.get("folder", report.folder) is not None and set(given) - {"paused"}:
        require(actor, "report.file")
    return data(await services.reports.update(actor.user, report_id, body))


@router.delete("/reports/{report_id:uuid}", status_code=204)
async def delete_report(actor: Signed, report_id: UUID, services: Parts) -> Response:
    """Send it no more. Files that it wrote stay."""
    await _report(actor, services, report_id)
    await services.reports.delete(report_id)
    return nothing()


@router.post("/reports/{report_id:uuid}/run", response_model=Data[Report], dependencies=[Depends(querying)])
async def run_report(actor: Signed, report_id: UUID, services: Parts) -> Response:
    """Make and send it now. Its times stay as they are; `error` says what went wrong, if anything."""
    report = await _report(actor, services, report_id)
    return data(await services.report_runner.send(report))
