"""Numbers out: one series of points, or a whole dashboard's frames in one round trip."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypeVar

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field, ValidationError

from dashapp.accounts.permissions import require
from dashapp.api import arrow
from dashapp.api.answers import Data, data, dumps
from dashapp.api.body import SignedInRoute
from dashapp.api.errors import failure
from dashapp.api.identity import Parts, Signed, querying
from dashapp.contract.base import Model, from_pydantic
from dashapp.contract.frames import Frame, Times
from dashapp.contract.metrics import BatchItem, MetricQuery, QueryBatch, SingleQuery
from dashapp.errors import DashappError, ValidationFailed

router = APIRouter(prefix="/query", tags=["Queries"], route_class=SignedInRoute, dependencies=[Depends(querying)])

#: After so many values written as JSON the loop may turn to others: about 5 ms, in columns or one by one.
_VALUES_A_TURN = 100_000
_POINTS_A_TURN = 10_000

Asked = TypeVar("Asked", bound=MetricQuery)
Accept = Annotated[str, Header(max_length=500, description=f"`{arrow.MEDIA_TYPE}` answers Arrow.", include_in_schema=False)]
CacheControl = Annotated[str, Header(max_length=500, description="`no-cache` asks past the cache.")]

_ARROW: dict[int | str, dict[str, Any]] = {200: {"content": {arrow.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}


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
    counts: list[float] | None = Field(default=None, description="Samples a bucket, where the query asked for `counts`.")


class BatchFrame(Model):
    times: list[int] = Field(description="Bucket starts, Unix ms.")
    series: list[BatchSeries]
    meta: QueryMeta


class BatchFailure(Model):
    error: str
    code: str
    details: dict[str, str] | None = None


@router.post("", response_model=Data[SingleAnswer], responses=_ARROW)
async def query(
    actor: Signed, body: SingleQuery, services: Parts, cache_control: CacheControl = "", accept: Accept = ""
) -> Response:
    """One series of points: `start` inclusive, `end` exclusive, empty buckets absent. As Arrow: with nulls for them."""
    require(actor, "metrics.read")
    frame = await services.cached.frame(_metric_query(MetricQuery, body.model_dump()), past=_past(cache_control))
    if arrow.wanted(accept):
        return await _arrow(frame)
    return data({"data": await _points(frame), "meta": frame.meta.wire()})


@router.post(
    "/batch", response_model=Data[dict[str, BatchFrame | BatchFailure]], responses=_ARROW, openapi_extra={"x-item": "BatchItem"}
)
async def query_batch(
    actor: Signed, body: QueryBatch, services: Parts, cache_control: CacheControl = "", accept: Accept = ""
) -> Response:
    """Up to 100 queries at once, each under its `id`. One that fails answers its own error; the others don't notice.

    As Arrow, exactly one query; what is wrong with it is the answer's own error.
    """
    require(actor, "metrics.read")
    if arrow.wanted(accept):
        return await _arrow(await services.cached.frame(_only(body.queries), past=_past(cache_control)))
    answers: dict[str, Any] = dict.fromkeys(_ids(body.queries))
    queries: dict[str, BatchItem] = {}
    for key, item in zip(answers, body.queries, strict=True):
        try:
            queries[key] = _metric_query(BatchItem, item)
        except ValidationFailed as error:
            answers[key] = failure(error)
    frames = await services.cached.frames(list(queries.values()), past=_past(cache_control))
    for (key, asked), frame in zip(queries.items(), frames, strict=True):
        answers[key] = failure(frame) if isinstance(frame, DashappError) else await _columns(frame, asked.counts)
    return data(answers)


def _only(items: list[dict[str, object]]) -> MetricQuery:
    """The one query whose answer is Arrow.

    Raises:
        ValidationFailed: there are several, or it is none.
    """
    if len(items) != 1:
        raise ValidationFailed(
            "queries: an Arrow answer takes exactly one query.", details={"queries": "take exactly one for Arrow"}
        )
    return _metric_query(BatchItem, items[0])


async def _arrow(frame: Frame) -> Response:
    large = frame.times.size * len(frame.series) > _VALUES_A_TURN
    content = await asyncio.to_thread(arrow.stream, frame) if large else arrow.stream(frame)
    return Response(content, media_type=arrow.MEDIA_TYPE, headers={"Vary": "Accept"})


def _past(cache_control: str) -> bool:
    """Whether the request asks past the cache."""
    wanted = {part.strip() for part in cache_control.lower().split(",")}
    return not wanted.isdisjoint({"no-cache", "no-store", "max-age=0"})


def _metric_query(model: type[Asked], values: dict[str, Any]) -> Asked:
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


def _iso(times: Times) -> list[bytes]:
    """ISO 8601 of Unix ms, without the milliseconds: steps are whole seconds. Digits are written a column at a time."""
    days, seconds = np.divmod(times // 1000, 86_400)
    different, place = np.unique(days, return_inverse=True)
    dates = np.datetime_as_string(different.astype("datetime64[D]")).astype("S10").view(np.uint8).reshape(-1, 10)
    text = np.empty((times.size, 20), np.uint8)
    text[:, :10] = dates[place]
    text[:, [10, 13, 16, 19]] = np.frombuffer(b"T::Z", np.uint8)
    for at, number in ((11, seconds // 3600), (14, seconds // 60 % 60), (17, seconds % 60)):
        text[:, at], text[:, at + 1] = 48 + number // 10, 48 + number % 10
    texts: list[bytes] = text.view("S20").ravel().tolist()
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
            pairs = zip(_iso(times[turn]), dumps(values[turn])[1:-1].split(b","), strict=True)
            parts.append(b'{"time":"' + b'},{"time":"'.join(map(b'","value":'.join, pairs)) + b"}")
            await asyncio.sleep(0)
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


async def _columns(frame: Frame, counts: bool = False) -> dict[str, Any]:
    """A frame as JSON columns, if wanted with the samples a bucket. Between large ones the loop gets to breathe."""
    series: list[orjson.Fragment] = []
    written = 0
    for line in frame.series:
        columns = {"values": line.values} | ({"counts": line.counts} if counts else {})
        series.append(
            orjson.Fragment(dumps({"tags": line.tags, **{key: np.ascontiguousarray(one) for key, one in columns.items()}}))
        )
        written += line.values.size
        if written >= _VALUES_A_TURN:
            written = 0
            await asyncio.sleep(0)
    return {"times": np.ascontiguousarray(frame.times), "series": series, "meta": frame.meta.wire()}
