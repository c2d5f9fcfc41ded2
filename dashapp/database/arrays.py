"""PostgreSQL arrays to and from numpy, as whole columns in the binary protocol: no Python object per element.

The wire format of a one-dimensional array without NULLs is a header of 20 bytes (dimensions, flags, element
type, length, lower bound) and, per element, its length and its bytes (PostgreSQL's ``array_send``).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format
from psycopg.types import TypeInfo  # noqa: F401  (loads the adaptation machinery)

_HEADER = struct.Struct("!iiIii")
#: Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
PG_EPOCH_US = 946_684_800_000_000

FLOAT8, FLOAT8_ARRAY = 701, 1022
INT8, INT8_ARRAY = 20, 1016
TIMESTAMPTZ, TIMESTAMPTZ_ARRAY = 1184, 1185


def _elements(data: Buffer, kind: str) -> np.ndarray[Any, Any]:
    raw = bytes(data)
    dimensions, has_null, _, length, _ = _HEADER.unpack_from(raw) if len(raw) >= 20 else (0, 0, 0, 0, 0)
    if dimensions == 0:
        return np.empty(0, kind[1:])
    if dimensions != 1 or has_null:
        raise ValueError("only one-dimensional arrays without NULL are read as columns")
    return np.frombuffer(raw, [("length", ">i4"), ("value", kind)], length, _HEADER.size)["value"].astype(kind[1:])


def float8s(raw: Buffer) -> np.ndarray[Any, Any]:
    """What ``string_agg(float8send(…), '')`` gives → float64, shape (n,). PostgreSQL makes it faster than an array."""
    return np.frombuffer(raw, ">f8").astype("f8")


def int8s(raw: Buffer) -> np.ndarray[Any, Any]:
    """What ``string_agg(int8send(…), '')`` gives → int64, shape (n,)."""
    return np.frombuffer(raw, ">i8").astype("i8")


def timestamptzs(raw: Buffer) -> np.ndarray[Any, Any]:
    """What ``string_agg(timestamptz_send(…), '')`` gives → int64 Unix milliseconds, shape (n,)."""
    return (int8s(raw) + PG_EPOCH_US) // 1000


class Float8ArrayLoader(Loader):
    """float8[] → float64, shape (n,)."""

    format = Format.BINARY

    def load(self, data: Buffer) -> np.ndarray[Any, Any]:
        return _elements(data, ">f8")


class Int8ArrayLoader(Loader):
    """int8[] → int64, shape (n,)."""

    format = Format.BINARY

    def load(self, data: Buffer) -> np.ndarray[Any, Any]:
        return _elements(data, ">i8")


class TimestamptzArrayLoader(Loader):
    """timestamptz[] → int64 Unix **milliseconds**, shape (n,)."""

    format = Format.BINARY

    def load(self, data: Buffer) -> np.ndarray[Any, Any]:
        return (_elements(data, ">i8") + PG_EPOCH_US) // 1000


class _ArrayDumper(Dumper):
    format = Format.BINARY
    element: int
    kind: str

    def dump(self, obj: np.ndarray[Any, Any]) -> bytes:
        body = np.empty(obj.size, [("length", ">i4"), ("value", self.kind)])
        body["length"], body["value"] = 8, self.column(obj)
        return _HEADER.pack(1, 0, self.element, obj.size, 1) + body.tobytes()

    def column(self, obj: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return obj


class _Float8Dumper(_ArrayDumper):
    oid, element, kind = FLOAT8_ARRAY, FLOAT8, ">f8"


class _Int8Dumper(_ArrayDumper):
    oid, element, kind = INT8_ARRAY, INT8, ">i8"


class _TimestamptzDumper(_ArrayDumper):
    oid, element, kind = TIMESTAMPTZ_ARRAY, TIMESTAMPTZ, ">i8"

    def column(self, obj: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return obj.astype("datetime64[us]").astype(np.int64) - PG_EPOCH_US


_DUMPERS: dict[str, type[_ArrayDumper]] = {"f": _Float8Dumper, "i": _Int8Dumper, "M": _TimestamptzDumper}


class NumpyArrayDumper(Dumper):
    """A float64, int64 or datetime64 array → float8[], int8[] or timestamptz[]."""

    format = Format.BINARY

    def get_key(self, obj: np.ndarray[Any, Any], format: Any) -> Any:  # noqa: ARG002 - psycopg's signature
        return (self.cls, _DUMPERS[obj.dtype.kind])

    def upgrade(self, obj: np.ndarray[Any, Any], format: Any) -> _ArrayDumper:  # noqa: ARG002 - psycopg's signature
        return _DUMPERS[obj.dtype.kind](self.cls)

    def dump(self, obj: np.ndarray[Any, Any]) -> bytes:  # pragma: no cover - psycopg always upgrades first
        return self.upgrade(obj, Format.BINARY).dump(obj)


def register(context: AdaptContext) -> None:
    """Teach a connection these columns."""
    adapters = context.adapters
    adapters.register_dumper(np.ndarray, NumpyArrayDumper)
    for oid, loader in (
        (FLOAT8_ARRAY, Float8ArrayLoader),
        (INT8_ARRAY, Int8ArrayLoader),
        (TIMESTAMPTZ_ARRAY, TimestamptzArrayLoader),
    ):
        adapters.register_loader(oid, loader)
