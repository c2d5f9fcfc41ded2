"""Remote write: messages into columns, and what is left out of them."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.errors import PayloadTooLarge, ValidationFailed
from dashapp.protocols import remote_write
from tests.protocols.sender import NOW, compressed, message, packed

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def rows(received: remote_write.Received) -> list[tuple[str, dict[str, str], int, float]]:
    batch = received.batch
    return [
        (batch.keys[place][0], dict(batch.keys[place][1]), int(time), float(value))
        for place, time, value in zip(batch.index, batch.times, batch.values, strict=True)
    ]


def test_samples_of_series() -> None:
    body = packed(message(
        ({"__name__": "up", "job": "node", "instance": "a:9100"}, [(NOW, 1.0), (NOW + 15_000, 0.0)]),
        ({"job": "node", "__name__": "go:x", "empty": ""}, [(NOW, -2.5)]),
    ))  # fmt: skip
    for _ in range(2):  # read anew and from memory
        received = remote_write.read(body)
        assert rows(received) == [
            ("up", {"job": "node", "instance": "a:9100"}, NOW, 1.0),
            ("up", {"job": "node", "instance": "a:9100"}, NOW + 15_000, 0.0),
            ("go:x", {"job": "node"}, NOW, -2.5),
        ]
        assert (received.losses.counts, received.metadata) == ({}, [])


def test_stale_markers_nan_and_infinities_are_nothing_to_tell_of() -> None:
    assert math.isnan(STALE)
    received = remote_write.read(packed(message(
        ({"__name__": "a"}, [(NOW, STALE), (NOW + 1, math.nan), (NOW + 2, math.inf), (NOW + 3, -math.inf), (NOW + 4, 1.0)]),
        ({"__name__": "b"}, [(NOW, STALE)]),
        ({"__name__": "bad-name"}, [(NOW, STALE)]),
    )))  # fmt: skip
    assert rows(received) == [("a", {}, NOW + 4, 1.0)]
    assert [key[0] for key in received.batch.keys] == ["a"]
    assert received.losses.counts == {}


def test_what_cannot_be_stored_is_left_out_by_reason() -> None:
    two = [(NOW, 1.0), (NOW + 1, 1.0)]
    for _ in range(2):
        received = remote_write.read(packed(message(
            ({"__name__": "good"}, two), ({"__name__": "bad-name"}, two), ({"job": "nameless"}, two),
            ({"__name__": "x" * 256}, two),
            ({"__name__": "many", **{f"l{n}": "x" for n in range(33)}}, two), ({"__name__": "nul", "a": "\0"}, two),
            ([("__name__", "twice"), ("a", "1"), ("a", "2")], two), ({"__name__": "big"}, [(NOW, 1e291), (NOW, -1e290)]),
        )))  # fmt: skip
        assert [(name, value) for name, _, _, value in rows(received)] == [("good", 1.0), ("good", 1.0), ("big", -1e290)]
        assert received.losses.counts == {"name": 6, "labels": 6, "value": 1}
        assert "bad-name" in received.losses.told()["name"]


def test_text_that_is_none_and_native_histograms() -> None:
    request = message(({"__name__": "a"}, [(NOW, 1.0)]), ({"__name__": "h"}, []))
    request.timeseries[0].labels.append(remote_write.MESSAGES["Label"](name=b"x", value=b"\xff").SerializeToString())
    request.timeseries[1].histograms.append(b"")
    received = remote_write.read(packed(request))
    assert (rows(received), received.losses.counts) == ([], {"labels": 1, "histogram": 1})


def test_names_of_labels_are_made_ours_and_long_values_stay_apart() -> None:
    received = remote_write.read(packed(message(
        ({"__name__": "a", "http/path": "/x"}, [(NOW, 1.0)]),
        *(({"__name__": "a", "q": "select " * 50 + end}, [(NOW, 1.0)]) for end in "xy"),
    )))  # fmt: skip
    assert rows(received)[0][1] == {"http_path": "/x"}
    cut = [tags["q"] for _, tags, _, _ in rows(received)[1:]]
    assert cut[0] != cut[1]
    assert [len(value) for value in cut] == [256, 256]


def test_times_outside_the_calendar_stay_numbers() -> None:
    received = remote_write.read(packed(message(({"__name__": "a"}, [(-(2**63), 1.0), (2**63 - 1, 1.0)]))))
    assert received.batch.times[0] == 0
    assert received.batch.times[1] > NOW * 2


def test_metadata_says_what_samples_are() -> None:
    request = message()
    for kind, family, unit in (
        (1, "requests", ""),
        (2, "temperature", "celsius"),
        (3, "seconds", "s"),
        (5, "quantiles", ""),
        (0, "unknown", ""),
    ):
        request.metadata.add(type=kind, family=family.encode(), help=b"Help\0.", unit=unit.encode())
    told = {info.name: (info.type, info.unit, info.description) for info in remote_write.read(packed(request)).metadata}
    assert told == {
        "requests": ("counter", None, "Help."), "requests_total": ("counter", None, "Help."),
        "temperature": ("gauge", "celsius", "Help."),
        "seconds_bucket": ("counter", None, "Help."), "seconds_sum": ("counter", "s", "Help."),
        "seconds_count": ("counter", None, "Help."),
        "quantiles": ("gauge", None, "Help."), "quantiles_bucket": ("counter", None, "Help."),
        "quantiles_sum": ("counter", None, "Help."), "quantiles_count": ("counter", None, "Help."),
    }  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"\xff" * 100, packed(message(({"__name__": "a"}, [(NOW, 1.0)])))[:-1], compressed(b"\xff" * 50)]
)
def test_no_message(body: bytes) -> None:
    with pytest.raises(ValidationFailed, match="The body is no"):
        remote_write.read(body)


def test_a_message_that_unpacks_beyond_the_limit() -> None:
    bomb = compressed(bytes(remote_write.UNPACKED_LIMIT + 1))
    assert len(bomb) < 1024 * 1024
    with pytest.raises(PayloadTooLarge):
        remote_write.read(bomb)
    # One that only says so takes no memory for it.
    with pytest.raises(PayloadTooLarge):
        remote_write.read(b"\x80\x80\x80\x80\x0f" + packed(message(({"__name__": "a"}, [(NOW, 1.0)])))[1:])


@given(st.binary(max_size=60), st.booleans())
def test_nothing_makes_it_fail(body: bytes, compress: bool) -> None:
    with suppress(ValidationFailed, PayloadTooLarge):
        remote_write.read(compressed(body) if compress else body)


def test_fields_that_are_not_known_are_skipped() -> None:
    request: Any = message(({"__name__": "a"}, [(NOW, 1.0)]))
    with_exemplars = request.SerializeToString() + b"\x52\x03abc"  # field 10, three bytes
    assert len(rows(remote_write.read(compressed(with_exemplars)))) == 1
