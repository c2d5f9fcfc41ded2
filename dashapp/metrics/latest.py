"""Buckets of many selections at once, in one statement a step: what thousands of alert rules are judged by.

The same numbers as `dashapp.metrics.query` answers for the same buckets, never from a cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dashapp.contract.frames import Times, Values
from dashapp.contract.metrics import Aggregation, Selection
from dashapp.contract.timerange import from_ms
from dashapp.database import sql
from dashapp.database.pool import Connection
from dashapp.metrics.clock import MINUTE

_SQL = sql.load("dashapp.metrics", "latest.sql")
#: From this bucket width on minutes are read instead of samples.
_BY_MINUTE_FROM = 10 * MINUTE

#: So few selections of a metric each look their series up in the index.
_FEW = 50


@dataclass(frozen=True)
class Buckets:
    """Buckets of several selections; groups without samples are absent."""

    #: By group: the index of its selection, int64, shape (groups,), ascending.
    selections: NDArray[np.int64]
    #: By group: the values of the selection's `group_by` as JSON text, a list in the same order.
    labels: list[str]
    #: By bucket: its group (index into the above), its start in Unix ms, and what its samples add up to; shape (buckets,),
    #: in the order of groups, then of time.
    groups: NDArray[np.int64]
    times: Times
    totals: Values
    samples: Values
    least: Values
    most: Values

    def values(self, aggregation: Aggregation) -> Values:
        """By bucket: the value under an aggregation, as a `Frame` has it."""
        if aggregation == "avg":
            return self.totals / self.samples
        return {"sum": self.totals, "count": self.samples, "min": self.least, "max": self.most}[aggregation]


@lru_cache(maxsize=100_000)
def _pairs(keys: tuple[str, ...], labels: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, label) for key, label in zip(keys, json.loads(labels), strict=True) if label is not None)


def tags_of(selection: Selection, labels: str) -> dict[str, str]:
    """A group's tags, as a `Frame`'s series has them."""
    return dict(_pairs(tuple(selection.group_by), labels))


def _ways(selections: Sequence[Selection]) -> tuple[list[str | None], list[str | None]]:
    """By selection: the tag by whose value its series are found, where many selections ask for the metric; else None."""
    by_metric: dict[str, list[Selection]] = {}
    for selection in selections:
        if selection.tags:
            by_metric.setdefault(selection.query, []).append(selection)
    values: dict[tuple[str, str], set[str]] = {}
    for name, asking in by_metric.items():
        if len(asking) > _FEW:
            for selection in asking:
                for key, value in selection.equal.items():
                    values.setdefault((name, key), set()).add(value)
    keys = [
        max(selection.equal, key=lambda key: len(values[selection.query, key]))
        if selection.tags and len(by_metric[selection.query]) > _FEW
        else None
        for selection in selections
    ]
    return keys, [None if key is None else selection.equal[key] for key, selection in zip(keys, selections, strict=True)]


async def buckets(
    connection: Connection, selections: Sequence[Selection], step_ms: int, start_ms: int, end_ms: int, *, newest: bool = False
) -> Buckets:
    """The buckets of [start, end), both multiples of the step; with `newest` only each group's last.

    Raises:
        StatementTimeout: the database took too long.
    """
    relation = _SQL["of_minutes" if step_ms >= _BY_MINUTE_FROM and step_ms % MINUTE == 0 else "of_raw"]
    chosen = _SQL["newest" if newest else "all"]
    statement = _SQL["buckets"].replace("{relation}", relation).replace("{chosen}", chosen)
    by_keys, by_values = _ways(selections)
    values: dict[str, object] = {
        "numbers": np.arange(len(selections)),
        "names": [selection.query for selection in selections],
        "tags": [json.dumps(selection.equal) for selection in selections],
        "keys": [json.dumps(selection.group_by) for selection in selections],
        "by_keys": by_keys, "by_values": by_values,
        "step": timedelta(milliseconds=step_ms), "from": from_ms(start_ms), "to": from_ms(end_ms),
    }  # fmt: skip
    cursor = await connection.execute(statement, values, binary=True)
    row = await cursor.fetchone()
    assert row is not None
    held = cast(NDArray[np.int64], row["gs"])
    return Buckets(
        selections=cast(NDArray[np.int64], row["numbers"]), labels=cast("list[str]", row["labels"]),
        groups=np.searchsorted(held, cast(NDArray[np.int64], row["g"])),
        times=cast(Times, row["times"]), totals=cast(Values, row["total"]), samples=cast(Values, row["samples"]),
        least=cast(Values, row["least"]), most=cast(Values, row["most"]),
    )  # fmt: skip
