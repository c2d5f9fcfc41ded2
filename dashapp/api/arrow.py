"""Frames as Arrow IPC streams, for clients that read columns: one record batch, no Python object per point."""

from __future__ import annotations

import io
import json
from typing import Any

import nanoarrow as na
import numpy as np
from nanoarrow.ipc import StreamWriter

from dashapp.contract.frames import Frame, Values

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def wanted(accept: str) -> bool:
    """Whether a request's ``Accept`` names Arrow."""
    return any(part.partition(";")[0].strip().lower() == MEDIA_TYPE for part in accept.split(","))


def stream(frame: Frame) -> bytes:
    """Column ``time`` (timestamp, ms, UTC) and a float64 column a series, null where a bucket has no sample.

    A column is named by its tags, such as ``host=a, disk=sda``; its field's metadata has them as JSON under ``tags``. The
    schema's metadata has the answer's meta as JSON under ``meta``.
    """
    size, names = frame.times.size, _names([series.tags for series in frame.series])
    fields = [na.c_schema(na.timestamp("ms", timezone="UTC", nullable=False)).modify(name="time")]
    columns = [na.c_array_from_buffers(fields[0], size, [None, np.ascontiguousarray(frame.times)], null_count=0)]
    for name, series in zip(names, frame.series, strict=True):
        metadata = {"tags": _json(series.tags)}
        fields.append(na.c_schema(na.float64()).modify(name=name, metadata=metadata))
        columns.append(_column(series.values))
    schema = na.c_schema(na.struct({})).modify(children=fields, nullable=False, metadata={"meta": _json(frame.meta.wire())})
    batch = na.c_array_from_buffers(schema, size, [None], null_count=0, children=columns, move=True)
    out = io.BytesIO()
    with StreamWriter.from_writable(out) as writer:
        writer.write_array(batch)
    return out.getvalue()


def _column(values: Values) -> Any:
    held = ~np.isnan(values)
    nulls = values.size - int(np.count_nonzero(held))
    validity = np.packbits(held, bitorder="little") if nulls else None
    return na.c_array_from_buffers(na.float64(), values.size, [validity, np.ascontiguousarray(values)], null_count=nulls)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _names(tags: list[dict[str, str]]) -> list[str]:
    """Columns need different names, and tags that are written out may look alike."""
    names: dict[str, None] = {"time": None}
    for own in tags:
        name = ", ".join(f"{key}={value}" for key, value in own.items()) or "value"
        while name in names:
            name += "'"
        names[name] = None
    return list(names)[1:]
