"""JSON points: what is read as columns is what the contract says, accepted or refused."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dashapp.contract.metrics import LARGEST_VALUE, MAX_POINTS_A_REQUEST, point_batch
from dashapp.contract.timerange import LATEST_MS
from dashapp.errors import ValidationFailed
from dashapp.metrics.batches import Batch
from dashapp.protocols import points

NOW = 1_790_000_000_000

_texts = st.one_of(
    st.sampled_from(["cpu", "a.b:c", "_", "host", "", "1x", "ä", "x" * 255, "x" * 256, "\x00", "a b"]), st.text(max_size=3)
)
_anything = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), _texts, st.just([]), st.just({}))
_numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([LARGEST_VALUE, -LARGEST_VALUE, 1.1e290, 2**53 + 1, 2**63, 2**64]))
_tags = st.dictionaries(_texts, st.one_of(_texts, _anything), max_size=4)
_stamps = st.one_of(st.none(), st.sampled_from([0, -1, NOW, LATEST_MS, LATEST_MS + 1, 2**63, 2**64, 1.0]), st.integers())
_points = st.fixed_dictionaries(
    {"name": st.one_of(st.just("cpu"), _texts, _anything), "value": st.one_of(_numbers, _anything)},
    optional={"tags": st.one_of(_tags, _anything), "timestamp": st.one_of(_stamps, _anything), "more": _anything},
)
_good = st.fixed_dictionaries(
    {"name": st.sampled_from(["cpu", "mem"]), "value": st.floats(-1e290, 1e290) | st.integers(-(2**53), 2**53)},
    optional={
        "tags": st.dictionaries(
            st.sampled_from("abc"), st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=3)
        ),
        "timestamp": st.none() | st.integers(0, LATEST_MS),
    },
)


def contract(raw: bytes) -> Batch | None:
    try:
        return Batch.of(point_batch.validate_json(raw), NOW)
    except ValidationError:
        return None


def rows(batch: Batch) -> list[tuple[Any, ...]]:
    return [(batch.keys[place], time, value) for place, time, value in zip(batch.index, batch.times, batch.values, strict=True)]


def same(raw: bytes) -> bool:
    """Reads `raw` both ways; whether it was accepted."""
    expected = contract(raw)
    if expected is None:
        with pytest.raises(ValidationFailed):
            points.read(raw, NOW)
        return False
    assert rows(points.read(raw, NOW)) == rows(expected)
    return True


@settings(max_examples=300)
@given(st.one_of(_anything, st.lists(_points | _anything, max_size=3)))
@example([{"name": "cpu", "value": 1, "tags": {"a": "x"}, "timestamp": NOW, "more": 1}])
@example([{"name": "cpu", "value": 1, "more": 1}])
@example([{"name": "cpu", "value": True}])
@example([{"name": "cpu", "value": 1, "timestamp": True}])
@example([{"name": "cpu", "value": 1, "tags": {"a": 1}}])
@example([{"name": "cpu", "value": 1, "tags": None}])
@example([{"name": "cpu", "value": 1, "tags": ["a"]}])
@example([{"name": "cpu", "value": 1, "tags": "ab"}])
@example([{"name": ["cpu"], "value": 1}])
def test_accepts_and_refuses_as_the_contract_does(document: Any) -> None:
    same(json.dumps(document).encode())


@settings(max_examples=100)
@given(st.lists(_good, min_size=1, max_size=20))
def test_good_points_are_read_without_the_contract(document: Any) -> None:
    raw = orjson.dumps(document)
    assert same(raw)
    # A series is judged when it is first seen, and this is its second time.
    assert rows(points._columns(orjson.loads(raw), NOW)) == rows(contract(raw))  # type: ignore[arg-type]


def test_tags_in_any_order_are_one_series() -> None:
    batch = points.read(b'[{"name":"m","value":1,"tags":{"a":"1","b":"2"}},{"name":"m","value":1,"tags":{"b":"2","a":"1"}}]', NOW)
    assert (len(batch.keys), batch.index.tolist(), batch.times.tolist()) == (1, [0, 0], [NOW, NOW])


@pytest.mark.parametrize("count", [0, 1, MAX_POINTS_A_REQUEST, MAX_POINTS_A_REQUEST + 1])
def test_a_batch_has_1_to_1000(count: int) -> None:
    assert same(orjson.dumps([{"name": "m", "value": n} for n in range(count)])) == (0 < count <= MAX_POINTS_A_REQUEST)
