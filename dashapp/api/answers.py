"""Success bodies: ``{"data": …}`` and, for pages of a list, ``"meta"``. Written by orjson, columns as they are."""

from __future__ import annotations

from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

T = TypeVar("T")


class Data(BaseModel, Generic[T]):
    """What every success looks like; for the OpenAPI document only."""

    model_config = ConfigDict(extra="forbid")
    data: T


def _default(value: object) -> object:
    if isinstance(value, BaseModel):
        return orjson.Fragment(value.model_dump_json(by_alias=True))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: object) -> bytes:
    """JSON of models, plain values and contiguous numpy columns, whose NaN become null."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_SERIALIZE_NUMPY)


def data(value: object, *, status: int = 200, meta: BaseModel | None = None, headers: dict[str, str] | None = None) -> Response:
    body = {"data": value} if meta is None else {"data": value, "meta": meta}
    return Response(dumps(body), status_code=status, media_type="application/json", headers=headers)


def nothing() -> Response:
    """204, for what was deleted."""
    return Response(status_code=204)
