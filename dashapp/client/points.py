"""Samples on their way out: columns, judged by the contract once a series, cut into requests."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError

from dashapp.contract.metrics import LARGEST_VALUE, MAX_POINTS_A_REQUEST, Point
from dashapp.contract.timerange import EARLIEST_MS, LATEST_MS


@dataclass(frozen=True)
class Batch:
    """What one request carries."""

    #: A JSON array of points.
    body: bytes
    #: Where each point comes from: a row of a table, a line of a file; int64, shape (n,).
    rows: NDArray[np.int64]

    def without(self, places: Collection[int]) -> Batch:
        """All but the points at these places."""
        kept = [place for place in range(self.rows.size) if place not in places]
        points = orjson.loads(self.body)
        return Batch(orjson.dumps([points[place] for place in kept]), self.rows[kept])


@dataclass(frozen=True)
class Columns:
    """Samples of several series, shape (n,) each."""

    #: (name, tags) of each series.
    series: list[tuple[str, dict[str, str]]]
    #: Position in `series`, int64.
    of: NDArray[np.int64]
    #: Unix ms, int64.
    times: NDArray[np.int64]
    #: float64, finite.
    values: NDArray[np.float64]
    #: int64; see `Batch.rows`.
    rows: NDArray[np.int64]

    @property
    def size(self) -> int:
        return int(self.times.size)

    def problems(self) -> dict[int, str]:
        """What the contract refuses: place among the samples to sentence, for the first sample of each kind of trouble."""
        found: dict[int, str] = {}
        for index, (name, tags) in enumerate(self.series):
            if problem := series_problem(name, tags):
                found.update(dict.fromkeys(np.flatnonzero(self.of == index).tolist(), problem))
        sizes: list[int] = np.flatnonzero(~(np.abs(self.values) <= LARGEST_VALUE)).tolist()
        for at in sizes:
            found.setdefault(at, f"value: {self.values[at]} is no finite number of at most {LARGEST_VALUE:g}")
        moments: list[int] = np.flatnonzero((self.times < EARLIEST_MS) | (self.times > LATEST_MS)).tolist()
        for at in moments:
            found.setdefault(at, f"timestamp: {self.times[at]} ms isn't between 1970 and 2100")
        return found

    def without(self, places: list[int]) -> Columns:
        """All but the samples at these places."""
        kept = np.ones(self.size, bool)
        kept[places] = False
        return Columns(self.series, self.of[kept], self.times[kept], self.values[kept], self.rows[kept])

    def batches(self) -> Iterator[Batch]:
        """Requests of at most 1 000 points, in order."""
        heads = {
            of: orjson.dumps({"name": self.series[of][0], "tags": self.series[of][1]})[:-1].decode() + ',"timestamp":'
            for of in np.unique(self.of).tolist()
        }
        for start in range(0, self.size, MAX_POINTS_A_REQUEST):
            part = slice(start, start + MAX_POINTS_A_REQUEST)
            samples = zip(self.of[part].tolist(), self.times[part].tolist(), self.values[part].tolist(), strict=True)
            body = ",".join([f'{heads[of]}{time},"value":{value!r}}}' for of, time, value in samples])
            yield Batch(f"[{body}]".encode(), self.rows[part])


def series_problem(name: Any, tags: Any) -> str | None:
    """Why the contract has no such series: ``tags.host: String should have at most 256 characters``."""
    try:
        Point(name=name, tags=tags, value=0.0)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        shown = f" ({str(first['input'])[:60]!r})" if isinstance(first["input"], str) else ""
        return f"{where}: {str(first['msg']).removeprefix('Value error, ')}{shown}"
    return None
