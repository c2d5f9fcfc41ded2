"""The one read path: a `MetricQuery` in, a `Frame` out. What PostgreSQL aggregates comes back as whole columns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray

from dashapp.contract.durations import format_ms
from dashapp.contract.frames import Frame, FrameMeta, assemble
from dashapp.contract.metrics import Aggregation, Function, MetricQuery, Selection
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.pool import Connection, Database, Row
from dashapp.errors import DashappError, ValidationFailed
from dashapp.metrics.catalog import Catalog
from dashapp.metrics.cells import Merge, merged, read
from dashapp.metrics.clock import MINUTE, SECOND, Clock, system_clock
from dashapp.metrics.routing import INCREASES, LEVELS, RAW, Horizons, Level, Part, Plan, default_step, nice_step, plan, reach
from dashapp.settings import Settings

log = logging.getLogger(__name__)

_SQL = sql.load("dashapp.metrics", "query.sql")
_STANDING = _SQL["standing"].replace("{select}", _SQL["select"])
#: Points of one answer.
MOST_POINTS = 1_000_000
#: Queries of one process that run at a time; the rest of the pool stays for everybody else.
AT_ONCE = 6
#: So many rows the database hands over as they are: grouping them there takes longer than sending them. It does so for any
#: number of rows that grouping would hardly make fewer.
MOST_ROWS = 20_000
#: And so many times that where samples are denser than every 10 s.
_DENSER = 10
_HARDLY_FEWER = 1.25
#: Cells that are put into a frame on the event loop, in about 5 ms; of more, a thread makes one.
CELLS_A_TURN = 100_000

#: How each aggregation is made of rows: the column of a rollup, and what is done with it, there or here. Averages are sum/count at
#: every level; the database's own avg() would overflow on large values, because it also sums their squares.
_AGGREGATES: dict[Aggregation, tuple[LiteralString, LiteralString, Merge]] = {
    # Divided by the samples in `_frame`: PostgreSQL refuses a quotient that underflows, and one such point would stop all.
    "avg": ("sum", "sum(value)", "sum"),
    "sum": ("sum", "sum(value)", "sum"),
    "min": ("min", "min(value)", "min"),
    "max": ("max", "max(value)", "max"),
    "count": ("sum", "sum(samples)", "sum"),
}

#: What a sample adds to the one before it. After a fall a counter began anew, and its value counts whole.
_INCREASE: LiteralString = "CASE WHEN first >= before THEN first - before ELSE first END"
_STEPS: dict[Function, LiteralString] = {"increase": _INCREASE, "rate": _INCREASE, "delta": "first - before"}


class _Group:
    """Series that become one: the tags they share, their ids (int64, shape (n,))."""

    def __init__(self, keys: Sequence[str], row: Row) -> None:
        labels = cast(list[str | None], row["labels"])
        self.tags = {key: label for key, label in zip(keys, labels, strict=True) if label is not None}
        self.ids = cast(NDArray[np.int64], row["ids"])


@dataclass(frozen=True)
class _Standing:
    """What a question has to know before it is planned. Moments are Unix ms."""

    #: By level, from where on it is held; for rates and increases of a counter also ``increase``, from where on they are kept.
    held: dict[str, int] = field(default_factory=dict)
    #: By level, up to where its rollups stand in a table of their own.
    rolled_up: dict[str, int] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)


class Reader:
    """Answers questions about samples."""

    def __init__(self, database: Database, settings: Settings, *, clock: Clock = system_clock) -> None:
        self.database, self.settings, self.clock = database, settings, clock
        self._places = asyncio.Semaphore(AT_ONCE)

    async def frame(self, query: MetricQuery) -> Frame:
        """The answer to one query. A metric that doesn't exist, or has no samples there, gives an empty frame.

        Raises:
            ValidationFailed: the step is no whole number of seconds, or the answer would be too large.
            StatementTimeout: the database took too long.
            Unavailable: the database can't be reached.
        """
        if query.step is not None and (query.step < SECOND or query.step % SECOND):
            raise ValidationFailed("step: take whole seconds, from 1s.", details={"step": "takes whole seconds, from 1s"})
        try:
            async with self._places, self.database.autocommit() as connection:
                return await self._answer(connection, query)
        except psycopg.errors.NumericValueOutOfRange as error:
            raise DashappError(f"the samples of {query.described()} are too large to be added up.") from error

    async def frames(self, queries: list[MetricQuery]) -> list[Frame | DashappError]:
        """Several answers at once, in the order of the queries; one that fails stands as its error."""
        return list(await asyncio.gather(*(or_error(query, self.frame(query)) for query in queries)))

    async def tags(self, metric: str) -> dict[str, list[str]]:
        """What there is to choose from; see `Catalog.tags`."""
        return await Catalog(self.database).tags(metric)

    async def newest(self, selection: Selection) -> int | None:
        """Unix ms of the newest sample that matches, or None. Of samples that are only held by the hour, the hour.

        Raises:
            Unavailable: the database can't be reached.
        """
        async with self.database.connection() as connection:
            statement, values = _selecting(_SQL["select"], selection, ())
            row = await (await connection.execute(statement, values, binary=True)).fetchone()
            if row is None:
                return None
            ids = cast(NDArray[np.int64], row["ids"])
            # Mostly it is a moment old: then only the newest partition is looked at.
            for since in (self.clock() - 5 * MINUTE, 0):
                newest = await _moment(connection, _SQL["newest_raw"], {"ids": ids, "since": from_ms(max(since, 0))})
                if newest is not None:
                    return newest
            return await _moment(connection, _SQL["newest_rolled"], {"ids": ids})

    # -- answering ---------------------------------------------------------------------------------------------

    async def _answer(self, connection: Connection, query: MetricQuery) -> Frame:
        known = await _standing(connection, query)
        while True:
            how = _plan(query, known.held)
            _refuse_too_large(how, len(known.groups))
            meta = _meta(query, how)
            frame = await _frame(connection, query, how, known, meta) if known.groups and how.parts else _empty(meta)
            if not self._droppable(how):
                return frame
            # Retention may have dropped the oldest partition between the statements.
            before, known = known, await _standing(connection, query)
            if before.held == known.held:
                return frame

    def _droppable(self, how: Plan) -> bool:
        """Whether parts reach beyond retention. What is younger is never dropped."""
        kept = {"raw": self.settings.retention_raw, "1min": self.settings.retention_1min, "1hour": self.settings.retention_1hour}
        oldest = {level: 0 if age is None else self.clock() - age // timedelta(milliseconds=1) for level, age in kept.items()}
        return any(part.start_ms < oldest[part.level.stored] for part in how.parts)


def step_of(query: MetricQuery) -> int:
    """The step in ms, before what is held may widen it."""
    return query.step or default_step(query.start_ms, query.end_ms, query.max_points)


async def or_error(query: MetricQuery, answer: Awaitable[Frame]) -> Frame | DashappError:
    """The answer, or the error in its place."""
    try:
        return await answer
    except DashappError as error:
        return error
    except Exception:
        log.exception("a query of %s failed", query.query)
        return DashappError("the query failed inside dashapp; the server's log says why.")


def _meta(query: MetricQuery, how: Plan) -> FrameMeta:
    levels = how.levels or [RAW]
    return FrameMeta(
        table="+".join(level.relation for level in levels), resolution=levels[0].resolution, step_ms=how.step_ms,
        covered_start_ms=how.covered_start_ms, covered_end_ms=how.covered_end_ms,
        partial=(how.covered_start_ms, how.covered_end_ms) != (query.start_ms, query.end_ms),
    )  # fmt: skip


def _refuse_too_large(how: Plan, groups: int) -> None:
    points = how.buckets * groups
    if points <= MOST_POINTS:
        return
    span = how.covered_end_ms - how.covered_start_ms
    # One bucket more than whole steps fit, because the range needn't be aligned.
    buckets = MOST_POINTS // groups - 1
    if buckets < 1:
        raise ValidationFailed(
            f"the answer would have {groups} series, more than can be answered at once; filter by tags or group by fewer.",
            details={"groupBy": f"gives {groups} series"},
        )
    step = format_ms(nice_step(span / buckets))
    raise ValidationFailed(
        f"the answer would have {points} points, and at most {MOST_POINTS} are answered; a step of {step} would work.",
        details={"step": f"makes {points} points; {step} would work"},
    )


def _plan(query: MetricQuery, horizons: Horizons) -> Plan:
    """How the query is answered. Increases are kept of counters only, from some moment on; of other metrics raw tells them."""
    compared = query.function is not None
    levels: tuple[Level, ...]
    if query.function is None or query.function == "delta":
        levels = LEVELS
    elif (since := horizons.get("increase")) is None:
        levels = (RAW,)
    else:
        levels = INCREASES
        horizons = {level: max(horizon, since) for level, horizon in horizons.items()}
    return plan(query.start_ms, query.end_ms, step_of(query), horizons, levels, compared=compared)


def _selecting(statement: LiteralString, selection: Selection, keys: Sequence[str]) -> tuple[LiteralString, dict[str, object]]:
    """The statement for this selection, and its values."""
    values: dict[str, object] = {"name": selection.query, "tags": json.dumps(selection.equal), "group_by": list(keys)}
    among = selection.among
    if among:
        values["among"] = json.dumps(among)
    return statement.replace("{among}", _SQL["among"] if among else ""), values


async def _standing(connection: Connection, query: MetricQuery) -> _Standing:
    counter = query.query if query.function in ("rate", "increase") else None
    statement, values = _selecting(_STANDING, query, query.group_by)
    values["counter"] = counter
    known = _Standing()
    for row in await (await connection.execute(statement, values, binary=True)).fetchall():
        if row["kind"] == "group":
            known.groups.append(_Group(query.group_by, row))
        else:
            moments = known.held if row["kind"] == "held" else known.rolled_up
            moments[str(row["level"])] = to_ms(cast(datetime, row["moment"]))
    return known


async def _moment(connection: Connection, statement: LiteralString, values: dict[str, object]) -> int | None:
    row = await (await connection.execute(statement, values)).fetchone()
    return None if row is None or row["newest"] is None else to_ms(cast(datetime, row["newest"]))


def _empty(meta: FrameMeta) -> Frame:
    return Frame(np.empty(0, np.int64), [], meta)


async def _frame(
    connection: Connection, query: MetricQuery, how: Plan, known: _Standing, meta: FrameMeta, *, few: bool | None = None
) -> Frame:
    """The buckets that have samples. One statement; two where rows turn out not to be `few`.

    Where a function is made of each series, the series are what is aggregated, each one sample a bucket.
    """
    column, aggregate, merge = _AGGREGATES[query.aggregation]
    groups = known.groups
    ids = np.concatenate([group.ids for group in groups])
    # The place of each id's group.
    of_ids = np.repeat(np.arange(len(groups)), [group.ids.size for group in groups])
    values: dict[str, object] = {"step": timedelta(milliseconds=how.step_ms), "ids": ids}
    kind: LiteralString = "part" if query.function is None else "step"
    parts: list[LiteralString] = []
    sources = [source for part in how.parts for source in _sources(part, known.rolled_up)]
    for n, (level, relation, start_ms, end_ms) in zip(_NUMBERS, sources, strict=False):
        part = _SQL[f"{kind}_{level.relation}"].replace("{n}", n).replace("{column}", column)
        parts.append(part.replace("{relation}", relation))
        values |= {f"from{n}": from_ms(start_ms), f"to{n}": from_ms(end_ms)}
    rows = "\nUNION ALL\n".join(parts)
    if query.function is not None:
        rows = _SQL["stepped"].replace("{step}", _STEPS[query.function]).replace("{parts}", rows)
        values |= {"reach": timedelta(milliseconds=reach(how.step_ms)), "start": from_ms(how.covered_start_ms)}
    most = most_rows(_rows(how, ids.size, query), len(groups) * how.buckets)
    if few is None:
        few = most > 0
    values["most"] = most + 1 if few else None
    number: LiteralString = "0::bigint"
    members: LiteralString = ""
    if few or len(groups) == ids.size:
        number = "series_id"
    elif len(groups) > 1:
        number, members = "number", "JOIN unnest(%(ids)s, %(numbers)s) AS member (series_id, number) USING (series_id)"
        values["numbers"] = of_ids
    if not few:
        grouped = _SQL["grouped"].replace("{number}", number).replace("{members}", members)
        rows = grouped.replace("{aggregate}", aggregate).replace("{parts}", rows)
    statement = _SQL["frame"].replace("{cells}", rows)
    cells = read(cast(Row, await (await connection.execute(statement, values, binary=True)).fetchone()))
    if few and cells.times.size > most:
        return await _frame(connection, query, how, known, meta, few=False)

    def made() -> Frame:
        found = cells
        if number == "series_id":
            order = np.argsort(ids)
            found = found._replace(places=of_ids[order[np.searchsorted(ids, found.places, sorter=order)]])
        if few:
            if query.aggregation == "count":
                found = found._replace(values=found.samples)
            found = merged(found, how.step_ms, merge)
            if not np.isfinite(found.values).all():
                raise psycopg.errors.NumericValueOutOfRange
        numbers = found.values
        if query.aggregation == "avg":
            numbers = numbers / found.samples
        if query.function == "rate" and query.aggregation != "count":
            numbers = numbers / (how.step_ms / SECOND)
        return assemble([group.tags for group in groups], found.places, found.times, numbers, found.samples, meta)

    return made() if cells.times.size <= CELLS_A_TURN else await asyncio.to_thread(made)


def most_rows(rows: int, cells: int) -> int:
    """How many rows the database may hand over as they are, if it would group about `rows` into `cells`; 0: it groups them."""
    if rows <= MOST_ROWS:
        return _DENSER * MOST_ROWS
    return int(_HARDLY_FEWER * rows) if rows <= _HARDLY_FEWER * cells else 0


def _rows(how: Plan, series: int, query: MetricQuery) -> int:
    """About how many rows the database would have to group, at a sample every 10 s."""
    if query.function is not None:
        return series * how.buckets
    return series * sum(-(-(part.end_ms - part.start_ms) // max(part.level.width_ms, 10 * SECOND)) for part in how.parts)


def _sources(part: Part, rolled_up: Mapping[str, int]) -> list[tuple[Level, LiteralString, int, int]]:
    """Where a part's rows lie, as (level, relation, start, end): what is rolled up in the table, the rest in the view.

    The view would answer all of it, but the planner can't know that nothing lies beyond the watermark, which only moves on.
    """
    level = part.level
    if level.relation not in _TABLES or level.stored not in rolled_up:
        return [(level, _VIEWS.get(level.relation, ""), part.start_ms, part.end_ms)]
    middle = min(max(part.start_ms, rolled_up[level.stored]), part.end_ms)
    sources = (
        (level, _TABLES[level.relation], part.start_ms, middle),
        (level, _VIEWS[level.relation], middle, part.end_ms),
    )
    return [source for source in sources if source[2] < source[3]]


#: By view: the table of its rows up to the watermark.
_TABLES: dict[LiteralString, LiteralString] = {
    "metrics_1min": "rollup_1min", "metrics_1hour": "rollup_1hour",
    "increase_1min": "rollup_increase_1min", "increase_1hour": "rollup_increase_1hour",
}  # fmt: skip
_VIEWS: dict[str, LiteralString] = {view: view for view in _TABLES}

#: At most nine parts: raw, minutes, hours, minutes, raw, and as much before them of what they are compared with, sharing one.
#: A watermark parts two of them once more.
_NUMBERS: tuple[LiteralString, ...] = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11")
