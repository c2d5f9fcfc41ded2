"""How numbers are written."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.contract.dashboards import Unit
from dashapp.panels.units import MISSING, axis_for, hover_format, parts, written

UNITS: tuple[Unit, ...] = get_args(Unit)
_finite = st.floats(-1e290, 1e290, allow_nan=False)
_usual = st.floats(-1e15, 1e15, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (33.2, "percent", "33%"), (3.52, "percent", "3.5%"), (0, "percent", "0%"), (100, "percent", "100%"),
        (9.9 * 2**30, "bytes", "9.9 GiB"), (0, "bytes", "0 B"), (1023.99, "bytes", "1.0 KiB"), (512, "bytes", "512 B"),
        (3.5 * 2**20, "bytes/s", "3.5 MiB/s"),
        (0.0034, "seconds", "3.4 ms"), (5, "seconds", "5.0 s"), (200_000, "seconds", "2.3 d"),
        (184, "ms", "184 ms"), (2500, "ms", "2.5 s"),
        (1.22, "short", "1.22"), (123_456, "short", "123k"), (999.99, "short", "1.00k"), (0.02, "short", "0.020"),
        (-7.5, "short", "-7.50"),
        (12, "count", "12"), (1500, "ops/s", "1.5 k ops/s"), (0.333, "ratio", "33%"), (1.5e6, "bytesSI", "1.5 MB"),
        (2e6, "bits/s", "2.0 Mbit/s"), (math.nan, "", MISSING), (None, "bytes", MISSING),
    ],
)  # fmt: skip
def test_written(value: float | None, unit: Unit, text: str) -> None:
    assert written(value, unit).replace("\N{NO-BREAK SPACE}", " ") == text


def test_decimals_are_kept_to() -> None:
    assert written(71.94, "percent", 1) == "71.9%"
    assert written(12, "count", 2) == "12.00"


@given(_usual, st.sampled_from(UNITS))
def test_what_is_written_is_the_value(value: float, unit: Unit) -> None:
    number, suffix = parts(value, unit)
    factors = {
        "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
        "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15, "kbit": 1e3, "Mbit": 1e6, "Gbit": 1e9, "Tbit": 1e12, "Pbit": 1e15,
        "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "min": 60, "h": 3600, "d": 86400,
    }  # fmt: skip
    factor = factors.get(suffix.removesuffix("/s").removesuffix("ops").strip() or "", 1) * (1e3 if unit == "ms" else 1)
    factor *= 0.01 if unit == "ratio" else 1
    # Two significant figures at least, and never more than the last digit off.
    assert float(number) * factor == pytest.approx(value, rel=0.051, abs=1.1e-6 * (1e3 if unit == "ms" else 1))


@given(_finite, _finite, st.sampled_from(UNITS))
def test_an_axis_holds_its_values_on_distinct_round_lines(one: float, other: float, unit: Unit) -> None:
    low, high = sorted((one, other))
    axis = axis_for(low, high, unit)
    # Far less than a pixel may lie outside.
    room = 1e-6 * max(high - low, abs(high), abs(low))
    assert axis.low <= low + room
    assert axis.high >= high - room
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 9
    assert list(axis.ticks) == sorted(set(axis.ticks))
    if unit not in ("seconds", "ms"):
        assert len(set(axis.labels)) == len(axis.labels), axis
    assert hover_format(axis, unit)["factor"] > 0


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.sampled_from(UNITS))
def test_fixed_ends_are_kept(minimum: float, width: float, unit: Unit) -> None:
    axis = axis_for(minimum, minimum, unit, minimum=minimum, maximum=minimum + max(width, 1.0))
    assert (axis.low, axis.high) == (minimum, minimum + max(width, 1.0))


def test_bytes_have_binary_lines() -> None:
    axis = axis_for(0, 9.9 * 2**30, "bytes")
    assert [label.replace("\N{NO-BREAK SPACE}", " ") for label in axis.labels] == ["0 B", "4 GiB", "8 GiB", "12 GiB"]
