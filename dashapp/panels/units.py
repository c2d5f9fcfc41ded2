"""How numbers are written: one place for axes, legends, stats, bars and hovers.

Bytes use binary steps (KiB, MiB: IEC 80000-13) unless asked for decimal ones; seconds change to ms, µs, min, h and d;
everything large and unitless takes SI prefixes (k, M, G). A value that is missing is an en dash, never a zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashapp.contract.dashboards import Unit
    from dashapp.contract.metrics import Function

MISSING = "–"

_IEC = ((2.0**50, "Pi"), (2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))
_SI = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_SECONDS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True)
class Scale:
    """A unit and prefix that fit one magnitude: a value is written as ``value / factor`` followed by `suffix`."""

    factor: float
    suffix: str


def of_function(unit: Unit, function: Function | None) -> Unit:
    """The unit of what a function makes of values: a rate of bytes is bytes a second."""
    return "bytes/s" if function == "rate" and unit == "bytes" else unit


def scale_for(magnitude: float, unit: Unit) -> Scale:
    """The scale in which a value of this magnitude reads best."""
    size = abs(magnitude)
    match unit:
        case "percent" | "ratio":
            return Scale(1.0 if unit == "percent" else 0.01, "%")
        case "bytes" | "bytes/s":
            factor, prefix = _step(size, _IEC)
            return Scale(factor, f"{prefix}B" + ("/s" if unit == "bytes/s" else ""))
        case "bytesSI" | "bytesSI/s" | "bits/s":
            factor, prefix = _step(size, _SI)
            return Scale(factor, prefix + {"bytesSI": "B", "bytesSI/s": "B/s", "bits/s": "bit/s"}[unit])
        case "seconds" | "ms":
            factor, suffix = _step(size * (1e-3 if unit == "ms" else 1.0), _SECONDS, zero="s" if unit == "seconds" else "ms")
            return Scale(factor * (1e3 if unit == "ms" else 1.0), suffix)
        case "ops/s":
            factor, prefix = _step(size, _SI)
            return Scale(factor, f"{prefix} ops/s" if prefix else "ops/s")
        case _:
            factor, prefix = _step(size, _SI)
            return Scale(factor, prefix)


def _step(size: float, steps: tuple[tuple[float, str], ...], zero: str = "") -> tuple[float, str]:
    if not math.isfinite(size) or size == 0:
        return next((step for step in steps if step[1] == zero), steps[-1])
    for factor, name in steps:
        # What would be written as 1024 or 1000 takes the next prefix.
        if size >= factor * 0.99995:
            return factor, name
    # Plain numbers below one keep no prefix; seconds end at nanoseconds.
    return steps[-1]


def _digits(scaled: float, unit: Unit) -> int:
    """Decimals for about three significant figures."""
    size = abs(scaled) * (1 + 1e-4)
    if size == 0 or size >= 100:
        return 0
    if unit in ("percent", "ratio") and size >= 1:
        return 0 if size >= 10 else 1
    if size >= 10:
        return 1
    if size >= 1:
        return 2 if unit in ("", "short", "count") else 1
    return min(6, 1 - math.floor(math.log10(size))) if size >= 1e-6 else 6


def parts(value: float | None, unit: Unit, decimals: int | None = None) -> tuple[str, str]:
    """(number, suffix) of a value: ``("9.9", "GiB")``; ``("–", "")`` where there is none."""
    if value is None or not math.isfinite(value):
        return MISSING, ""
    scale = scale_for(value, unit)
    scaled = value / scale.factor
    if unit == "count" and decimals is None and scale.suffix == "" and float(scaled).is_integer():
        decimals = 0
    digits = _digits(scaled, unit) if decimals is None else decimals
    number = _fixed(scaled, digits)
    return ("0" if decimals is None and float(number) == 0 and value == 0 else number), scale.suffix


def written(value: float | None, unit: Unit, decimals: int | None = None) -> str:
    """A value with its unit: ``9.9 GiB``, ``33%``, ``1.22``."""
    number, suffix = parts(value, unit, decimals)
    return joined(number, suffix)


def joined(number: str, suffix: str) -> str:
    space = "" if suffix in ("", "%") or (len(suffix) == 1 and suffix in "kMGTP") else "\N{NO-BREAK SPACE}"
    return f"{number}{space}{suffix}"


def hover_format(axis: Axis, unit: Unit, decimals: int | None = None) -> dict[str, float | str]:
    """How a script writes values under the pointer: in the axis's own unit, with a digit more than its labels need."""
    size = max((abs(tick) for tick in axis.ticks), default=1.0)
    scale = scale_for(size, unit)
    digits = decimals if decimals is not None else max(1, _digits(size / scale.factor / 10, unit))
    return {"factor": scale.factor, "suffix": joined("", scale.suffix), "digits": float(digits)}


@dataclass(frozen=True)
class Axis:
    """A value axis: its ends, where its lines are, and what stands beside them."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def label_width(self) -> int:
        """Pixels that the widest label takes at 11 px, roughly."""
        return math.ceil(max((len(label) for label in self.labels), default=1) * 6.6)


def axis_for(
    low: float, high: float, unit: Unit, *, minimum: float | None = None, maximum: float | None = None, lines: float = 4.4
) -> Axis:
    """A round axis over the values [low, high]; `minimum` and `maximum` fix an end.

    Zero-based unless values are negative. Ticks are round in the unit: steps of 1, 2 or 5 times a power of ten, or of
    two for bytes, or of the clock for seconds (P. Heckbert, *Nice Numbers for Graph Labels*, Graphics Gems, 1990).
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = 0.0, 0.0
    low = min(low, 0.0) if minimum is None else minimum
    high = max(high, 0.0) if maximum is None else maximum
    if high - low < 1e-200:
        high = low + (1.0 if maximum is None else 1e-9)
    step = _round_step((high - low) / lines, unit)
    if maximum is None:
        # There is no less than a byte, or than one of something: the axis reaches to the first line at least.
        high = max(high, low + step)
    bottom = math.floor(low / step * (1 + 1e-12)) * step if minimum is None and low < 0 else low
    first = math.ceil(bottom / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    ticks = [index * step for index in range(first, last + 1)]
    if maximum is None and high > ticks[-1] + step * 0.35:
        # Much of a step above the last line: one line more keeps the top of the curve readable.
        ticks.append(ticks[-1] + step)
    if maximum is None:
        # In quarters of a step, so that a live axis stays still while its values move a little.
        high = max(ticks[-1], math.ceil((high + (high - bottom) * 0.02) / step * 4) * step / 4)
    labels = tick_labels(ticks, step, unit)
    return Axis(bottom, high, tuple(ticks), tuple(labels))


def tick_labels(ticks: list[float], step: float, unit: Unit) -> list[str]:
    """Labels of one axis: one prefix for all, and the decimals that tell neighbours apart."""
    if not ticks:
        return []
    scale = scale_for(max(abs(tick) for tick in ticks), unit)
    # None where the decimals would be too many: then a power of ten is shorter.
    digits = next((digits for digits in range(7) if _whole(step / scale.factor * 10**digits)), None)
    zero = written(0.0, unit)
    return [joined(_fixed(tick / scale.factor, digits), scale.suffix) if tick else zero for tick in ticks]


def _fixed(value: float, digits: int | None) -> str:
    # Beyond the largest prefix only a power of ten is readable.
    return f"{value:.{digits}f}" if digits is not None and abs(value) < 1e6 else f"{value:.3g}"


def fixed_end(unit: Unit, maximum: float | None) -> float | None:
    """Where a bar's or an arc's scale ends whatever the values: as is said, else at the whole of a unit that has one."""
    return float(maximum) if maximum is not None else {"percent": 100.0, "ratio": 1.0}.get(unit)


def bar_ends(biggest: float, unit: Unit, *, minimum: float | None, maximum: float | None) -> tuple[float, float]:
    """The ends of the scale of bars of which `biggest` is the longest."""
    low = 0.0 if minimum is None else float(minimum)
    end = fixed_end(unit, maximum)
    return low, axis_for(low, biggest, unit).high if end is None else end


def share(value: float, low: float, high: float) -> float:
    """How far along the scale a value lies, from 0 to 1."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9 and round(value) != 0


def _round_step(rough: float, unit: Unit) -> float:
    if unit in ("bytes", "bytes/s"):
        # A power of 1024 times 1, 2, 4 … 512.
        return float(2.0 ** math.ceil(math.log2(max(rough, 1.0)) - 1e-9))
    if unit in ("seconds", "ms"):
        base = 1e3 if unit == "ms" else 1.0
        clock = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800)
        if rough / base > 50:
            return next((step * base for step in clock if step * base >= rough), _decimal_step(rough / base / 86400) * 86400 * base)
    if unit == "count":
        rough = max(rough, 1.0)
    return _decimal_step(rough)


def _decimal_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if rough <= factor * power * (1 + 1e-9):
            return factor * power
    return 10.0 * power
