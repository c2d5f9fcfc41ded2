"""What a Prometheus sends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import cramjam

from dashapp.protocols.remote_write import MESSAGES

NOW = time.time_ns() // 1_000_000
Labels = Mapping[str, str] | Iterable[tuple[str, str]]


def message(*series: tuple[Labels, list[tuple[int, float]]]) -> Any:
    """A request with these series: labels and samples of (Unix ms, value)."""
    request = MESSAGES["WriteRequest"]()
    for labels, samples in series:
        added = request.timeseries.add()
        for name, value in labels.items() if isinstance(labels, Mapping) else labels:
            added.labels.append(MESSAGES["Label"](name=name.encode(), value=value.encode()).SerializeToString())
        for at, value in samples:
            added.samples.add(timestamp=at, value=value)
    return request


def packed(request: Any) -> bytes:
    return compressed(request.SerializeToString())


def compressed(raw: bytes) -> bytes:
    """A snappy block."""
    return bytes(cramjam.snappy.compress_raw(raw))
