"""Numbers out: one series of points, or a whole dashboard's frames in one round trip."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Header, Response
from pydantic import Field, ValidationError

from dashapp.accounts.permissions import require
from dashapp.api.answers import Data, data, dumps
from dashapp.api.body import SignedInRoute
from dashapp.api.errors import failure
from dashapp.api.identity import Parts, Signed
from dashapp.contract.base import Model, from_pydantic
from dashapp.contract.frames import Frame, Times
from dashapp.contract.metrics import BatchItem, MetricQuery, QueryBatch, SingleQuery
from dashapp.errors import DashappError, ValidationFailed

router = APIRouter(prefix="/query", tags=["Queries"], route_class=SignedInRoute)

#: After so many values written as JSON the loop may turn to others: about 5 ms, in columns or one by one.
_VALUES_A_TURN = 100_000
_POINTS_A_TURN = 10_000

CacheControl = Annotated[str, Header(max_length=500, description="`no-cache` asks past the cache.")]


class QueryMeta(Model):
    """Where numbers come from."""

    table: str = Field(description="The relations that answered.")
    resolution: str
    step: str = Field(description="Bucket width, such as `1m`.")
    cached: bool = Field(description="From the cache: at most 10 s old where the range touches now.")
    covered_start: int = Field(description="Unix ms; the range that is answered for.")
    covered_end: int
    partial: bool = Field(description="Whether that is less than was asked.")


class TimedValue(Model):
    time: str = Field(description="The bucket's start, ISO 8601.")
    value: float


class SingleAnswer(Model):
    data: list[TimedValue]
    meta: QueryMeta


class BatchSeries(Model):
    tags: dict[str, str]
    values: list[float | None]


class BatchFrame(Model):
    times: list[int] = Field(description="Bucket starts, Unix ms.")
    series: list[BatchSeries]
    meta: QueryMeta


class BatchFailure(Model):
    error: str
    code: str
    details: dict[str, str] | None = None


@router.post("", response_model=Data[SingleAnswer])
async def query(actor: Signed, body: SingleQuery, services: Parts, cache_control: CacheControl = "") -> Response:
    """One series of points: `start` inclusive, `end` exclusive, empty buckets absent."""
    require(actor, "metrics.read")
    frame = await services.cached.frame(_metric_query(MetricQuery, body.model_dump()), past=_past(cache_control))
    return data({"data": await _points(frame), "meta": frame.meta.wire()})


@router.post("/batch", response_model=Data[dict[str, BatchFrame | BatchFailure]], openapi_extra={"x-item": "BatchItem"})
async def query_batch(actor: Signed, body: QueryBatch, services: Parts, cache_control: CacheControl = "") -> Response:
    """Up to 100 queries at once, each under its `id`. One that fails answers its own error; the others don't notice."""
    require(actor, "metrics.read")
    answers: dict[str, Any] = dict.fromkeys(_ids(body.queries))
    queries: dict[str, MetricQuery] = {}
    for key, item in zip(answers, body.queries, strict=True):
        try:
            queries[key] = _metric_query(BatchItem, item)
        except ValidationFailed as error:
            answers[key] = failure(error)
    frames = await services.cached.frames(list(queries.values()), past=_past(cache_control))
    for key, frame in zip(queries, frames, strict=True):
        answers[key] = failure(frame) if isinstance(frame, DashappError) else await _columns(frame)
    return data(answers)


def _past(cache_control: str) -> bool:
    """Whether the request asks past the cache."""
    wanted = {part.strip() for part in cache_control.lower().split(",")}
    return not wanted.isdisjoint({"no-cache", "no-store", "max-age=0"})


def _metric_query(model: type[MetricQuery], values: dict[str, Any]) -> MetricQuery:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        failed = from_pydantic(error)
    # What the model says of itself as a whole, it says of the range.
    details = {"start" if path == "body" else path: message for path, message in failed.details.items()}
    raise ValidationFailed(str(failed).replace("body: ", "start: ", 1), details=details)


def _ids(items: list[dict[str, object]]) -> list[str]:
    """The items' ids: without one, or with one twice, an answer couldn't be found.

    Raises:
        ValidationFailed: `details` names the item as ``queries.3.id``.
    """
    ids: list[str] = []
    details: dict[str, str] = {}
    for index, item in enumerate(items):
        key = item.get("id")
        if not isinstance(key, str) or not 1 <= len(key) <= 64:
            details[f"queries.{index}.id"] = "each query needs an id of 1 to 64 characters"
        elif key in ids:
            details[f"queries.{index}.id"] = f"{key!r} comes twice"
        else:
            ids.append(key)
    if details:
        field, message = next(iter(details.items()))
        raise ValidationFailed(f"{field}: {message}.", details=details)
    return ids


def _iso(times: Times) -> list[str]:
    """ISO 8601 of Unix ms, without the milliseconds: steps are whole seconds."""
    texts: list[str] = np.datetime_as_string(times.astype("datetime64[ms]").astype("datetime64[s]"), timezone="UTC").tolist()
    return texts


async def _points(frame: Frame) -> orjson.Fragment:
    """The first series as JSON points, without empty buckets."""
    parts: list[bytes] = []
    if frame.series:
        values = frame.series[0].values
        held = ~np.isnan(values)
        values, times = values[held], frame.times[held]
        for start in range(0, values.size, _POINTS_A_TURN):
            turn = slice(start, start + _POINTS_A_TURN)
            pairs = zip(_iso(times[turn]), values[turn].tolist(), strict=True)
            parts.append(orjson.dumps([{"time": time, "value": value} for time, value in pairs])[1:-1])
            await asyncio.sleep(0)
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


async def _columns(frame: Frame) -> dict[str, Any]:
    """A frame as JSON columns. Between large ones the loop gets to breathe."""
    series: list[orjson.Fragment] = []
    written = 0
    for line in frame.series:
        series.append(orjson.Fragment(dumps({"tags": line.tags, "values": np.ascontiguousarray(line.values)})))
        written += line.values.size
        if written >= _VALUES_A_TURN:
            written = 0
            await asyncio.sleep(0)
    return {"times": np.ascontiguousarray(frame.times), "series": series, "meta": frame.meta.wire()}
