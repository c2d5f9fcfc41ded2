"""What other programs send, sifted: what dashapp can store becomes columns, what it can't is counted by reason.

Their senders never repeat what was refused, so that one bad sample must not cost the others.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from pydantic import ValidationError

from dashapp.contract.metrics import LARGEST_VALUE, LONGEST_TAG_VALUE, Point
from dashapp.contract.timerange import EARLIEST_MS, LATEST_MS
from dashapp.metrics.batches import Batch
from dashapp.metrics.series import Key, series_key

#: Why a sample is left out.
REASONS = {
    "syntax": "the line can't be read",
    "name": "a metric's name has up to 255 letters, digits, _ . and :, and begins with a letter or _",
    "labels": "there are more than 32 labels, a label comes twice, or one is no text",
    "value": "the value is beyond ±1e290",
    "histogram": "native histograms aren't stored; send classic ones",
    "too_old": "the sample is older than those that are kept",
    "too_far_ahead": "the sample is more than 1 hour ahead of the server's clock",
    "series_limit": "it would make a new series, and the limit of series is reached",
}
_HASH_DIGITS = 16
_NO_KEY = re.compile(r"[^a-zA-Z0-9_.:]")


class LeftOut(Exception):
    """`reason` is one of `REASONS`; `what` names the first that it struck."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(reason)
        self.reason, self.what = reason, what[:100]


@dataclass
class Losses:
    """How many samples were left out for each reason, and an example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, count: int = 1, example: str = "") -> None:
        if count:
            self.counts[reason] += count
            self.examples.setdefault(reason, example)

    def told(self) -> dict[str, str]:
        """By reason, what a person reads of it."""
        return {
            reason: f"{count} left out: {REASONS[reason]}{f', first {example!r}' if (example := self.examples[reason]) else ''}"
            for reason, count in self.counts.items()
        }


def series_of(name: str, labels: Iterable[tuple[str, str]]) -> Key:
    """The series of foreign labels: empty ones are none, names are made ours, values are cut so that two stay two.

    Raises:
        LeftOut: it can't be one of ours.
    """
    tags: dict[str, str] = {}
    for label, value in labels:
        key = _tag_key(label)
        if key in tags:
            raise LeftOut("labels", f"{name} {label}")
        if value:
            tags[key] = _tag_value(value)
    try:
        return series_key(name, Point(name=name, value=0.0, tags=tags).tags)
    except ValidationError as error:
        raise LeftOut("name" if error.errors()[0]["loc"][0] == "name" else "labels", name) from None


def _tag_key(label: str) -> str:
    key = _NO_KEY.sub("_", label)
    return f"_{key}" if key[:1].isdigit() or key[:1] in (".", ":") else key


def _tag_value(value: str) -> str:
    if len(value) <= LONGEST_TAG_VALUE:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{value[: LONGEST_TAG_VALUE - _HASH_DIGITS - 1]}~{digest}"


class Sieve:
    """Takes samples one by one and hands them out as columns."""

    def __init__(self) -> None:
        self.losses = Losses()
        self._places: dict[Key, int] = {}
        self._index: list[int] = []
        self._times: list[int] = []
        self._values: list[float] = []

    def place(self, key: Key) -> int:
        return self._places.setdefault(key, len(self._places))

    def add(self, place: int, time_ms: int, value: float) -> None:
        self._index.append(place)
        self._times.append(time_ms)
        self._values.append(value)

    def batch(self) -> Batch:
        """What can be stored. NaN is nothing to store and nothing to tell of."""
        values = np.array(self._values, np.float64)
        # Beyond the calendar is refused by the store like all that is too old or too far ahead.
        times = np.array([min(max(time, EARLIEST_MS), LATEST_MS) for time in self._times], np.int64)
        batch = Batch(list(self._places), np.array(self._index, np.int64), times, values)
        too_large = np.flatnonzero(np.abs(values) > LARGEST_VALUE)
        if too_large.size:
            self.losses.add("value", too_large.size, batch.keys[batch.index[too_large[0]]][0])
        return batch.part(np.abs(values) <= LARGEST_VALUE)
