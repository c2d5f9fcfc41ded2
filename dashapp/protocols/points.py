"""The JSON of ``POST /metrics``: from bytes to columns, without a model per point.

The one contract is `dashapp.contract.metrics.Point`. Names and tags are checked by it when they are first seen and
remembered as they were written; values and times are checked as columns. Whatever isn't plainly right goes through the
contract as a whole, which accepts it or says what is wrong with which point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from pydantic import ValidationError

from dashapp.contract.base import validation_failed
from dashapp.contract.metrics import LARGEST_VALUE, MAX_POINTS_A_REQUEST, Point, point_batch
from dashapp.contract.timerange import EARLIEST_MS, LATEST_MS
from dashapp.errors import ValidationFailed
from dashapp.metrics.batches import Batch
from dashapp.metrics.memory import Memory
from dashapp.metrics.series import Key, series_key

#: Series as senders write them, by name, tag keys and tag values in their order.
_known: Memory[tuple[str, ...], Key] = Memory(50_000)
_NO_TAGS: dict[str, str] = {}


class _Irregular(Exception):
    """Something that only the contract can judge."""


def read(raw: bytes, now_ms: int) -> Batch:
    """A JSON array of points; those without a timestamp get `now_ms`.

    Raises:
        ValidationFailed: it is none; `details` names each bad field as ``points.17.value``.
    """
    try:
        return _columns(orjson.loads(raw), now_ms)
    except (_Irregular, orjson.JSONDecodeError, ValidationError, KeyError, TypeError, AttributeError, OverflowError):
        return Batch.of(_judged(raw), now_ms)


def _columns(points: Any, now_ms: int) -> Batch:
    if type(points) is not list or not 0 < len(points) <= MAX_POINTS_A_REQUEST:
        raise _Irregular
    places: dict[Key, int] = {}
    index = []
    for point in points:
        tags = point.get("tags", _NO_TAGS)
        written = (point["name"], *tags, *tags.values())
        index.append(places.setdefault(_known.get(written) or _learn(written, point["name"], tags), len(places)))
    stamps = [point.get("timestamp") for point in points]
    values = [point["value"] for point in points]
    fields = sum(map(len, points)) - 2 * len(points)
    if fields != sum("tags" in point for point in points) + sum("timestamp" in point for point in points):
        raise _Irregular
    if not {*map(type, values)} <= {float, int} or not {*map(type, stamps)} <= {int, type(None)}:
        raise _Irregular
    times = np.array([now_ms if stamp is None else stamp for stamp in stamps], np.int64)
    column = np.array(values, np.float64)
    if not (np.abs(column) <= LARGEST_VALUE).all() or times.min() < EARLIEST_MS or times.max() > LATEST_MS:
        raise _Irregular
    return Batch(list(places), np.array(index, np.int64), times, column)


def _learn(written: tuple[str, ...], name: str, tags: dict[str, str]) -> Key:
    key = series_key(name, Point(name=name, value=0.0, tags=tags).tags)
    _known.put(written, key)
    return key


def _judged(raw: bytes) -> list[Point]:
    try:
        return point_batch.validate_json(raw)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        if errors[0]["type"] == "json_invalid":
            raise ValidationFailed(f"The body is no valid JSON: {errors[0]['msg']}.", details={"body": errors[0]["msg"]}) from None
        raise validation_failed(errors, prefix="points") from None
