"""Prometheus remote write 1.0: a snappy block of a protobuf message, into columns.

The message is described here instead of in generated code. Labels stay bytes: a series that is known by them needs no
decoding. (https://prometheus.io/docs/specs/prw/remote_write_spec/)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from dashapp.contract.metrics import MetricInfo, MetricType
from dashapp.errors import PayloadTooLarge, ValidationFailed
from dashapp.metrics.batches import Batch
from dashapp.metrics.memory import Memory
from dashapp.metrics.series import Key
from dashapp.protocols.sifting import LeftOut, Losses, Sieve, series_of

#: Bytes that a message may have when it is unpacked.
UNPACKED_LIMIT = 16 * 1024 * 1024
_COUNTERS: Mapping[str, MetricType] = dict.fromkeys(("_bucket", "_sum", "_count"), "counter")
#: By Prometheus's number of a kind, the names under which the samples of a family lie, and what they are.
_KINDS: Mapping[int, Mapping[str, MetricType]] = {
    1: {"": "counter", "_total": "counter"}, 2: {"": "gauge"}, 3: _COUNTERS, 5: {**_COUNTERS, "": "gauge"},
}  # fmt: skip
_LONGEST_HELP, _LONGEST_UNIT = 1000, 32

_PACKAGE = "dashapp.remote_write"
_INT, _DOUBLE, _BYTES, _MESSAGE = 3, 1, 12, 11
#: Message to field to (number, type, repeated, message type). What isn't named here is skipped.
_MESSAGES: dict[str, dict[str, tuple[int, int, bool, str]]] = {
    "WriteRequest": {"timeseries": (1, _MESSAGE, True, "TimeSeries"), "metadata": (3, _MESSAGE, True, "Metadata")},
    "TimeSeries": {
        "labels": (1, _BYTES, True, ""),
        "samples": (2, _MESSAGE, True, "Sample"),
        "histograms": (4, _BYTES, True, ""),
    },
    "Label": {"name": (1, _BYTES, False, ""), "value": (2, _BYTES, False, "")},
    "Sample": {"value": (1, _DOUBLE, False, ""), "timestamp": (2, _INT, False, "")},
    "Metadata": {
        "type": (1, _INT, False, ""),
        "family": (2, _BYTES, False, ""),
        "help": (4, _BYTES, False, ""),
        "unit": (5, _BYTES, False, ""),
    },
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="dashapp_remote_write.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated, of) in fields.items():
            type_name = f".{_PACKAGE}.{of}" if of else None
            message.field.add(name=field, number=number, type=kind, label=3 if repeated else 1, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


#: Message classes by name; the tests write with them what they send.
MESSAGES = _classes()
_Label, _WriteRequest = MESSAGES["Label"], MESSAGES["WriteRequest"]

#: What labels, as they were sent, are to dashapp: a series, or why they can't be one.
_known: Memory[tuple[bytes, ...], Key | LeftOut] = Memory(20_000)


@dataclass(frozen=True)
class Received:
    """A request: samples to store, what was left out of them already, and what it says about metrics."""

    batch: Batch
    losses: Losses
    metadata: list[MetricInfo]


def read(raw: bytes) -> Received:
    """The body of a request.

    Raises:
        ValidationFailed: it is no snappy block or no message.
        PayloadTooLarge: unpacked it would be over the limit.
    """
    message = _WriteRequest()
    try:
        if cramjam.snappy.decompress_raw_len(raw) > UNPACKED_LIMIT:
            raise PayloadTooLarge(f"The message is larger than {UNPACKED_LIMIT // 1024 // 1024} MiB; send fewer samples at once.")
        message.ParseFromString(bytes(cramjam.snappy.decompress_raw(raw)))
    except cramjam.DecompressionError as error:
        raise _unreadable(f"no snappy block ({error})") from None
    except DecodeError:
        raise _unreadable("no protobuf message of remote write 1.0") from None
    sieve = Sieve()
    for series in message.timeseries:
        _take(series, sieve)
    return Received(sieve.batch(), sieve.losses, [info for entry in message.metadata for info in _described(entry)])


def _unreadable(why: str) -> ValidationFailed:
    return ValidationFailed(f"The body is {why}.", details={"body": why})


def _take(series: Any, sieve: Sieve) -> None:
    labels = tuple(series.labels)
    known = _known.get(labels)
    if known is None:
        known = _learn(labels)
        _known.put(labels, known)
    # Stale markers are NaN of one bit pattern. Nothing marks an end here: a series ends with its last sample.
    samples = [(sample.timestamp, value) for sample in series.samples if math.isfinite(value := sample.value)]
    if isinstance(known, LeftOut):
        sieve.losses.add(known.reason, len(samples) + len(series.histograms), known.what)
        return
    sieve.losses.add("histogram", len(series.histograms), known[0])
    if samples:
        place = sieve.place(known)
        for time_ms, value in samples:
            sieve.add(place, time_ms, value)


def _learn(raw: tuple[bytes, ...]) -> Key | LeftOut:
    name, labels = "", []
    try:
        for part in raw:
            label = _Label.FromString(part)
            if label.name == b"__name__":
                name = label.value.decode()
            else:
                labels.append((label.name.decode(), label.value.decode()))
        return series_of(name, labels)
    except (DecodeError, UnicodeDecodeError):
        return LeftOut("labels", name)
    except LeftOut as left_out:
        return LeftOut(left_out.reason, left_out.what)


def _described(entry: Any) -> Iterator[MetricInfo]:
    family, text, unit = (part.decode(errors="replace").replace("\0", "") for part in (entry.family, entry.help, entry.unit))
    for suffix, kind in _KINDS.get(entry.type, {}).items():
        fits = 0 < len(unit) <= _LONGEST_UNIT and suffix in ("", "_total", "_sum")
        yield MetricInfo(
            name=f"{family}{suffix}", type=kind, description=text[:_LONGEST_HELP] or None, unit=unit if fits else None
        )  # fmt: skip
