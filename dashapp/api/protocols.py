"""What other programs speak: Prometheus remote write and InfluxDB line protocol.

What is valid is stored, what isn't is left out, counted and told of by a 400, which these senders don't repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, ParamSpec, TypeVar

from fastapi import APIRouter, Query, Request, Response

from dashapp.accounts.permissions import require
from dashapp.api import body as bodies
from dashapp.api.answers import nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed
from dashapp.contract.metrics import MetricInfo
from dashapp.errors import ValidationFailed
from dashapp.metrics.batches import Batch
from dashapp.protocols import influx, remote_write
from dashapp.protocols.sifting import Losses
from dashapp.services import Services

router = APIRouter(tags=["Protocols"], route_class=SignedInRoute)

P = ParamSpec("P")
T = TypeVar("T")
#: Reading a larger body would hold the event loop too long.
_READ_BESIDE = 32 * 1024
_BYTES = {"type": "string", "format": "binary"}
_STORED = {204: {"description": "Stored, after the commit."}}


def _body(kind: str, description: str, schema: Mapping[str, object], *, required: bool = True) -> dict[str, object]:
    return {"requestBody": {"required": required, "description": description, "content": {kind: {"schema": schema}}}}


@router.post(
    "/write", status_code=204, responses=_STORED,  # type: ignore[arg-type]
    openapi_extra=_body("application/x-protobuf", "A snappy block of a `prometheus.WriteRequest`, version 1.0.", _BYTES),
)  # fmt: skip
async def prometheus_write(request: Request, actor: Signed, services: Parts) -> Response:
    """Prometheus remote write 1.0. Samples that can't be stored are left out, and the 400 says how many and why."""
    require(actor, "metrics.send")
    services.ingest.check_room()
    if "v2" in request.headers.get("content-type", ""):
        why = "dashapp takes remote write 1.0; set protobuf_message to prometheus.WriteRequest"
        raise ValidationFailed(f"Content-Type: {why}.", details={"Content-Type": why})
    raw = b"".join([chunk async for chunk in bodies.receive(request)])
    received = await _read(raw, remote_write.read, raw)
    await _store(services, "remote_write", received.batch, received.losses, received.metadata)
    return nothing()


@router.post(
    "/influx/write", status_code=204, responses=_STORED,  # type: ignore[arg-type]
    openapi_extra=_body("text/plain", "Line protocol.", {"type": "string"}, required=False),
)  # fmt: skip
@router.post("/influx/api/v2/write", status_code=204, include_in_schema=False)
async def influx_write(
    request: Request,
    actor: Signed,
    services: Parts,
    precision: Annotated[
        str, Query(description="Unit of the timestamps.", json_schema_extra={"enum": list(influx.PRECISIONS)})
    ] = "ns",
) -> Response:
    """InfluxDB line protocol: each numeric field is a metric `measurement.field`. What can't be stored is left out, and the
    400 says how much and why."""
    require(actor, "metrics.send")
    services.ingest.check_room()
    unit = influx.precision(precision)
    raw = await bodies.read(request)
    received = await _read(raw, influx.read, raw, unit, services.ingest.clock())
    await _store(services, "influx", received.batch, received.losses)
    return nothing()


async def _read(raw: bytes, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    if len(raw) < _READ_BESIDE:
        return read(*args, **kwargs)
    return await asyncio.to_thread(read, *args, **kwargs)


async def _store(services: Services, protocol: str, batch: Batch, losses: Losses, metadata: list[MetricInfo] | None = None) -> None:
    """
    Raises:
        ValidationFailed: something was left out; the rest is stored.
    """
    for reason, count in (await services.ingest.write_valid(batch)).items():
        losses.add(reason, count)
    if metadata:
        await services.catalog.describe_known(metadata)
    for reason, count in losses.counts.items():
        services.ingest.left_out[protocol, reason] += count
    if losses.counts:
        told = losses.told()
        raise ValidationFailed(f"Stored, but for {losses.counts.total()} samples: {'; '.join(told.values())}.", details=told)
