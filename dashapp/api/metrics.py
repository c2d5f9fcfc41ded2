"""Points in, and what is known about metrics."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator

from dashapp.accounts.permissions import require
from dashapp.api import body as bodies
from dashapp.api.answers import Data, data
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed
from dashapp.contract.metrics import MAX_POINTS_A_REQUEST, Accepted, MetricInfo, MetricName, MetricUpdate
from dashapp.protocols import points

router = APIRouter(prefix="/metrics", tags=["Metrics"], route_class=SignedInRoute)

#: The body is read by hand, in one pass from bytes to points; this is what the OpenAPI document says of it.
_POINTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Point"},
                    "minItems": 1,
                    "maxItems": MAX_POINTS_A_REQUEST,
                }
            }
        },
    }
}


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text holds no NUL")
    return text


@router.post("", response_model=Data[Accepted], openapi_extra=_POINTS_BODY)
async def send_points(request: Request, actor: Signed, services: Parts) -> Response:
    """Send 1 to 1000 points. All or nothing; answered after the commit. The same point again replaces the first."""
    require(actor, "metrics.send")
    services.ingest.check_room()
    batch = points.read(await bodies.read(request), services.ingest.clock())
    return data(Accepted(accepted=await services.ingest.write(batch)))


@router.get("", response_model=Data[list[MetricInfo]])
async def search_metrics(
    actor: Signed,
    services: Parts,
    q: Annotated[str, Query(max_length=255, description="Part of the name."), AfterValidator(_no_nul)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """The metrics whose name contains `q`."""
    require(actor, "metrics.read")
    return data(await services.catalog.search(q, limit))


@router.put("/{name}", response_model=Data[MetricInfo])
async def describe_metric(actor: Signed, name: MetricName, body: MetricUpdate, services: Parts) -> Response:
    """Set a metric's type, unit and description: what is given changes, an explicit null clears."""
    require(actor, "metrics.describe")
    return data(await services.catalog.update(name, body))


@router.get("/{name}/tags", response_model=Data[dict[str, list[str]]])
async def metric_tags(actor: Signed, name: MetricName, services: Parts) -> Response:
    """The values of each of a metric's tags."""
    require(actor, "metrics.read")
    return data(await services.catalog.tags(name))
