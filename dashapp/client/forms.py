"""What the columns of a file mean: which hold the time, names, values and tags, and how times are written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np

from dashapp.client.files import Chunk
from dashapp.client.points import Columns, series_problem
from dashapp.contract.timerange import LATEST_MS, to_ms
from dashapp.errors import ValidationFailed

TimeFormat = Literal["iso", "s", "ms", "us", "ns"]
#: Units of numeric times: how many are a millisecond's worth, and the largest moment.
_PER_MS: dict[str, float] = {"s": 1e-3, "ms": 1, "us": 1e3, "ns": 1e6}
_TIME_NAMES = ("timestamp", "time", "datetime", "date", "ts")


@dataclass(frozen=True)
class Form:
    """How lines become samples."""

    #: Column of the time.
    time: str
    #: How times are written.
    time_format: TimeFormat
    #: Columns that are tags; in the long form those which aren't known are.
    tags: tuple[str, ...] = ()
    #: True: columns ``name`` and ``value``. False: a column a metric.
    long: bool = False
    #: Whether `time_format` comes from looking at the first lines.
    guessed: bool = True


def unit_of(number: float) -> TimeFormat:
    """The unit in which a number is a moment between 1970 and 2100."""
    size = abs(number)
    return "s" if size <= LATEST_MS / 1e3 else "ms" if size <= LATEST_MS else "us" if size <= LATEST_MS * 1e3 else "ns"


def _number(value: Any) -> float | int | None:
    """A finite number, from a number or from text."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    try:
        return int(value)
    except (TypeError, ValueError):
        pass
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def detect(chunk: Chunk, *, time: str | None, tags: Sequence[str], time_format: str | None) -> Form:
    """What a file's first lines say of the rest.

    Raises:
        ValidationFailed: a column is missing, or one can't be a metric.
    """
    names = list(chunk.columns)
    time = time or next((name for name in _TIME_NAMES if name in names), None)
    if time is None or time not in names:
        wanted = f"no column {time!r}" if time else f"no column for the time ({', '.join(_TIME_NAMES)}); name it with --time"
        raise ValidationFailed(f"{wanted}; there are {', '.join(names) or 'none'}.")
    if missing := [tag for tag in tags if tag not in names]:
        raise ValidationFailed(f"no column {missing[0]!r} for a tag; there are {', '.join(names)}.")
    long = {"name", "value"} <= set(names)
    if not long:
        for name in names:
            if name != time and name not in tags and name != "tags" and (problem := series_problem(name, {})):
                raise ValidationFailed(f"column {name!r} is no metric ({problem}); rename it, or make it a tag with --tag.")
    return Form(time, _time_format(chunk.columns[time], time_format), tuple(tags), long, guessed=time_format is None)


def _time_format(values: list[Any], given: str | None) -> TimeFormat:
    if given:
        if given not in ("iso", *_PER_MS):
            raise ValidationFailed(f"--time-format: {given!r} isn't one of iso, {', '.join(_PER_MS)}.")
        return given  # type: ignore[return-value]
    kinds: Counter[TimeFormat] = Counter()
    for value in values:
        number = _number(value)
        kinds["iso" if number is None else unit_of(number)] += 1
    return kinds.most_common(1)[0][0] if kinds else "iso"


def moment_ms(value: Any, time_format: TimeFormat, *, guessed: bool = False) -> int:
    """Unix ms of a time. Where the unit was guessed, a number that looks like another one is refused.

    Raises:
        ValueError: it isn't one, or is written otherwise than the column.
    """
    if value is None or value == "":
        raise ValueError("is missing")
    if time_format == "iso":
        try:
            return to_ms(value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip()))
        except ValueError:
            raise ValueError(f"{str(value)[:40]!r} is no ISO 8601 time such as 2026-11-01T00:00:00Z") from None
    number = _number(value)
    if number is None:
        raise ValueError(f"{str(value)[:40]!r} is no number of {time_format} since 1970")
    if abs(number) / _PER_MS[time_format] > LATEST_MS:
        raise ValueError(f"{value} {time_format} isn't before 2100")
    if guessed and unit_of(number) != time_format:
        raise ValueError(f"{value} looks like {unit_of(number)} since 1970, the lines before are {time_format}")
    return int(number // int(_PER_MS[time_format])) if _PER_MS[time_format] >= 1 else round(number * 1000)


def _tag_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


class Translator:
    """Chunks to samples, after the form of the first."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def columns(self, chunk: Chunk) -> tuple[Columns, dict[int, str]]:
        """The chunk's samples, and the lines that have none and why. A line is good as a whole or not at all."""
        bad = dict(chunk.bad)
        size = chunk.lines.size
        times = np.zeros(size, np.int64)
        lines = chunk.lines.tolist()
        for place, value in enumerate(chunk.columns.get(self.form.time, [None] * size)):
            try:
                times[place] = moment_ms(value, self.form.time_format, guessed=self.form.guessed)
            except ValueError as error:
                bad[lines[place]] = f"{self.form.time}: {error}"
        samples = self._long(chunk) if self.form.long else self._wide(chunk)
        series: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        of: list[int] = []
        places: list[int] = []
        values: list[float] = []
        for place, name, tags, value in samples:
            if isinstance(value, str):
                bad.setdefault(lines[place], value)
                continue
            of.append(series.setdefault((name, tags), len(series)))
            places.append(place)
            values.append(value)
        at = np.array(places, np.int64)
        found = Columns(
            [(name, dict(tags)) for name, tags in series], np.array(of, np.int64), times[at], np.array(values), chunk.lines[at]
        )  # fmt: skip
        for place, problem in found.problems().items():
            bad.setdefault(int(found.rows[place]), problem)
        drop = np.flatnonzero(np.isin(found.rows, list(bad))).tolist() if bad else []
        return (found.without(drop) if drop else found), bad

    def _tags(self, chunk: Chunk, keys: Sequence[str]) -> list[tuple[tuple[str, str], ...]]:
        """The tags of each line, sorted; an empty one is none."""
        columns = [(key, chunk.columns[key]) for key in sorted(keys) if key in chunk.columns]
        tags = [
            tuple((key, _tag_text(column[place])) for key, column in columns if column[place] not in (None, ""))
            for place in range(chunk.lines.size)
        ]
        for place, own in enumerate(chunk.columns.get("tags", []) if "tags" not in keys else []):
            if isinstance(own, dict):
                merged = dict(tags[place]) | {str(key): _tag_text(value) for key, value in own.items()}
                tags[place] = tuple(sorted(merged.items()))
        return tags

    def _long(self, chunk: Chunk) -> Any:
        known = ("name", "value", self.form.time, "tags")
        keys = [key for key in chunk.columns if key not in known]
        tags = self._tags(chunk, keys)
        empty = [None] * chunk.lines.size
        names, values = chunk.columns.get("name", empty), chunk.columns.get("value", empty)
        for place, (name, value) in enumerate(zip(names, values, strict=True)):
            number = _number(value)
            yield (
                place,
                _tag_text(name or ""),
                tags[place],
                f"value: {_shown(value)} is no number" if number is None else float(number),
            )

    def _wide(self, chunk: Chunk) -> Any:
        tags = self._tags(chunk, self.form.tags)
        for name, column in chunk.columns.items():
            if name in (self.form.time, "tags", *self.form.tags):
                continue
            for place, value in enumerate(column):
                if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
                    continue
                number = _number(value)
                yield place, name, tags[place], f"{name}: {_shown(value)} is no number" if number is None else float(number)


def _shown(value: Any) -> str:
    return repr(value)[:60]
