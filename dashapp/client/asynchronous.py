"""`AsyncClient`: all that the client does, written once."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack
from uuid import UUID

import orjson

from dashapp.client import plots, tables
from dashapp.client.points import Batch, Columns
from dashapp.client.transport import Transport, failure
from dashapp.client.where import find
from dashapp.contract.accounts import User
from dashapp.contract.dashboards import Dashboard, DashboardSummary, PublicLink
from dashapp.contract.documents import document_of, dump
from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricInfo, MetricQuery, MetricType
from dashapp.contract.timerange import TimeRange, from_ms, to_ms
from dashapp.contract.variables import LINK_PREFIX, check_known
from dashapp.errors import Conflict, DashappError, ValidationFailed

if TYPE_CHECKING:
    import pandas as pd

#: A point in time: a datetime (naive is UTC), ISO 8601, or ``now-6h``.
Moment = datetime | str
_POINT = re.compile(r"^(?:body\.)?points\.(\d+)(?:\.(.*))?$")
#: Requests under way at once when points are pushed.
_AT_ONCE = 4


def shown_range(last: str | None, start: Moment | None, end: Moment | None) -> TimeRange:
    """
    Raises:
        ValidationFailed: it is said twice, or by half.
    """
    if last is not None and (start is not None or end is not None):
        raise ValidationFailed("last: a range is either `last` or `start` and `end`, not both.")

    if end is not None and start is None:
        raise ValidationFailed("start: a range with an end needs a start.")

    def text(moment: Moment) -> str:
        return from_ms(to_ms(moment)).isoformat() if isinstance(moment, datetime) else moment

    if last is None and start is None:
        last = "1h"
    return TimeRange(f"now-{last}", "now") if last is not None else TimeRange(text(start or ""), text(end or "now"))


def _range(last: str | None, start: Moment | None, end: Moment | None) -> dict[str, str]:
    wanted = shown_range(last, start, end)
    # The last moment is included: `end` is exclusive on the wire.
    start_ms, end_ms = wanted.resolve(int(time.time() * 1000) + 1)
    return {"start": from_ms(start_ms).isoformat(), "end": from_ms(end_ms).isoformat()}


class RefusedPoints(ValidationFailed):
    """The server refuses some of the points."""

    def __init__(self, batch: Batch, cause: DashappError) -> None:
        #: Row to reason.
        self.rows: dict[int, str] = {}
        #: Places in the batch.
        self.places: set[int] = set()
        for path, reason in cause.details.items():
            if (place := _POINT.match(path)) and int(place[1]) < batch.rows.size:
                self.places.add(int(place[1]))
                field = f"{place[2]}: " if place[2] else ""
                self.rows.setdefault(int(batch.rows[int(place[1])]), f"{field}{reason}")
        super().__init__(str(cause), details=cause.details)


def _refused_rows(rows: Mapping[int, str]) -> ValidationFailed:
    """The first row in the sentence, up to 100 in `details`."""
    first = min(rows)
    more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
    details = {f"row {row}": rows[row] for row in sorted(rows)[:100]}
    return ValidationFailed(f"row {first}: {rows[first].rstrip('.')}{more}.", details=details)


class AsyncAlerts:
    """Alert rules."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> list[dict[str, Any]]:
        """All rules with their present state, as the API answers them."""
        rules: list[dict[str, Any]] = await self._transport.data("GET", "/alerts")
        return rules

    async def create(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """Store a rule; answers it with its id. `rule` is as in `backtest`."""
        stored: dict[str, Any] = await self._transport.data("POST", "/alerts", json=dict(rule))
        return stored

    async def backtest(
        self, rule: Mapping[str, Any], *, last: str | None = None, start: Moment | None = None, end: Moment | None = None
    ) -> dict[str, Any]:
        """What `rule` would have done over a range: how often it had fired, when, and on which values.

        Args:
            rule: as ``POST /alerts`` takes it, e.g. ``{"name": "hot", "query": "cpu.usage", "condition": "gt",
                "threshold": 90, "duration": "5 minutes", "groupBy": ["host"]}``.
        """
        answer: dict[str, Any] = await self._transport.data(
            "POST", "/alerts/backtest", json={"rule": dict(rule), **_range(last, start, end)}
        )
        return answer


class AsyncClient:
    """A dashapp, seen from a program. Made by `connect_async`; close it, or use it in ``async with``.

    All methods raise one of `dashapp.errors`, with the sentence that the API answers.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0, patience_s: float = 30.0) -> None:
        self._transport = Transport(url, token, timeout_s=timeout_s, patience_s=patience_s)
        #: Where the server is.
        self.url = url
        #: Alert rules and backtests.
        self.alerts = AsyncAlerts(self._transport)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.url}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        await self._transport.close()

    # -- metrics -----------------------------------------------------------------------------------------------

    async def me(self) -> User:
        """Who the token acts for."""
        return User.model_validate(await self._transport.data("GET", "/auth/me"))

    async def metrics(self, part: str = "", *, limit: int = 1000) -> list[MetricInfo]:
        """The metrics whose name contains `part`, with type, unit and description as far as they are known."""
        found = await self._transport.data("GET", "/metrics", params={"q": part, "limit": limit})
        return [MetricInfo.model_validate(metric) for metric in found]

    async def describe(
        self, name: str, *, type: MetricType | None = None, unit: str | None = None, description: str | None = None
    ) -> MetricInfo:
        """Say what a metric is; what is left out stays. Plots and new panels show it."""
        said = {key: value for key, value in {"type": type, "unit": unit, "description": description}.items() if value is not None}
        return MetricInfo.model_validate(await self._transport.data("PUT", f"/metrics/{name}", json=said))

    async def tags(self, name: str) -> dict[str, list[str]]:
        """The values of each of a metric's tags."""
        found: dict[str, list[str]] = await self._transport.data("GET", f"/metrics/{name}/tags")
        return found

    async def query(
        self,
        query: str,
        *,
        last: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        by: str | Sequence[str] = (),
        step: str | None = None,
        tags: Mapping[str, str] | None = None,
        aggregation: str | None = None,
        function: str | None = None,
        max_points: int | None = None,
        fresh: bool = False,
    ) -> pd.DataFrame:
        """A metric's samples as a table: rows are bucket starts (UTC), a column a series, NaN where a bucket is empty.

        Args:
            query: the metric's name.
            last: the range that ends now, such as ``6h``; the last hour where no range is given.
            start, end: the range otherwise; `end` is exclusive, and now when missing.
            by: one series for each combination of these tags. One tag names the columns by its values, several make a
                MultiIndex.
            step: bucket width such as ``1m``; follows the range when missing.
            tags: only series with all of these.
            aggregation: avg (default), min, max, sum or count.
            function: rate, increase or delta, of each series before the aggregation.
            max_points: bounds the rows where `step` is missing; 1 000 unless given.
            fresh: ask past the server's cache, whose answers may be 10 s old.

        Returns:
            A DataFrame whose ``attrs`` hold ``query`` and the answer's ``meta`` (``step``, ``coveredStart``, ``partial`` …).
        """
        keys = [by] if isinstance(by, str) else list(by)
        optional: dict[str, Any] = {"aggregation": aggregation, "function": function, "step": step, "maxPoints": max_points}
        item: dict[str, Any] = {"id": "q", "query": query, "tags": dict(tags or {}), "groupBy": keys, **_range(last, start, end)}
        item |= {key: value for key, value in optional.items() if value is not None}
        tables.needed("pandas", "A table")
        accept = {"Accept": f"{tables.ARROW}, application/json;q=0.5"} if tables.has_arrow() else {}
        accept |= {"Cache-Control": "no-cache"} if fresh else {}
        answer = await self._transport.send("POST", "/query/batch", json={"queries": [item]}, headers=accept)
        if answer.headers.get("content-type", "").startswith(tables.ARROW):
            return await asyncio.to_thread(tables.from_arrow, answer.content, query, keys)
        frame = orjson.loads(answer.content)["data"]["q"]
        if "error" in frame:
            raise failure(frame)
        return await asyncio.to_thread(tables.from_json, frame, query, keys)

    async def plot(self, query: str, **asked: Unpack[plots.Asked]) -> Any:
        """A metric's samples as a HoloViews plot: an `NdOverlay` of one `Curve` a series, with unit and UTC times.

        Takes the arguments of `query`. Where no HoloViews backend is loaded yet, loads Bokeh's.
        """
        table = await self.query(query, **asked)
        return plots.overlay(table, await self.unit(query, asked))

    async def unit(self, query: str, asked: plots.Asked) -> str:
        """The unit of what is asked of a metric; empty where none is known."""
        known = next((metric.unit for metric in await self.metrics(query) if metric.name == query), None)
        return plots.unit_of(known, asked)

    async def frames(self, queries: Sequence[MetricQuery], *, patience_s: float | None = None) -> list[Frame | DashappError]:
        """What panels are given: for each query its `Frame`, with the samples a bucket, or what is wrong with it.

        Always past the server's cache. Up to 100 queries are one request. `patience_s` is the client's unless given.
        """
        answers: list[Frame | DashappError] = []
        for start in range(0, len(queries), 100):
            items = [{"id": str(at), "counts": True, **query.wire()} for at, query in enumerate(queries[start : start + 100])]
            body = await self._transport.data(
                "POST", "/query/batch", json={"queries": items}, headers={"Cache-Control": "no-cache"}, patience_s=patience_s
            )
            for item in items:
                answer = body[item["id"]]
                answers.append(failure(answer) if "error" in answer else tables.frame(answer))
        return answers

    async def push(
        self, table: pd.DataFrame | pd.Series[Any], *, name: str | None = None, tags: Mapping[str, str] | None = None
    ) -> int:
        """Write a table's samples; answers how many. The same samples again change nothing, so a push may be repeated.

        Args:
            table: **wide**: rows are times, each column a metric; with `name` each column is a series of that metric,
                and the columns' level names are its tags, as `query` answers them. **long**: columns ``name``, ``value``,
                ``timestamp`` (or times as the index); all others are tags. Times without a zone are UTC. NaN is no sample.
            tags: for all samples.

        Raises:
            ValidationFailed: some rows can't be samples. Nothing has been sent where the contract refuses them; where
                only the server does, what was sent before stays, and the mended table may be pushed again whole.
        """
        columns = await asyncio.to_thread(tables.to_columns, table, name, dict(tags or {}))
        if problems := columns.problems():
            raise _refused_rows({int(columns.rows[at]): text for at, text in problems.items()})
        try:
            return await self.send(columns)
        except RefusedPoints as error:
            if not error.rows:
                raise
            raise _refused_rows(error.rows) from None

    async def send(self, columns: Columns, *, refused: Callable[[Mapping[int, str]], None] | None = None) -> int:
        """Send samples in requests of 1 000, a few at a time; answers how many the server has.

        Args:
            refused: is told the rows that the server refuses, which are then left out.

        Raises:
            RefusedPoints: the server refuses some; the batches before theirs are stored.
        """
        sent = 0
        under_way: set[asyncio.Task[int]] = set()
        try:
            for batch in columns.batches():
                if len(under_way) >= _AT_ONCE:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    sent += sum(task.result() for task in done)
                under_way.add(asyncio.create_task(self._post(batch, refused)))
            for task in list(under_way):
                sent += await task
            return sent
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _post(self, batch: Batch, refused: Callable[[Mapping[int, str]], None] | None) -> int:
        try:
            answer = await self._transport.data("POST", "/metrics", content=batch.body)
        except ValidationFailed as error:
            failure = RefusedPoints(batch, error)
            if refused is None or not failure.rows:
                raise failure from None
            refused(failure.rows)
            rest = batch.without(failure.places)
            return await self._post(rest, refused) if rest.rows.size else 0
        return int(answer["accepted"])

    # -- dashboards --------------------------------------------------------------------------------------------

    async def dashboards(self) -> list[DashboardSummary]:
        """The dashboards that you may see, by name."""
        found: list[DashboardSummary] = []
        page, total = 1, 1
        while len(found) < total:
            answer = await self._transport.send("GET", "/dashboards", params={"page": page, "pageSize": 200})
            body = orjson.loads(answer.content)
            rows = [DashboardSummary.model_validate(row) for row in body["data"]]
            found += rows
            page, total = page + 1, body["meta"]["total"] if rows else 0
        return found

    async def dashboard(self, which: str | UUID) -> Dashboard:
        """One dashboard with its panels, by id or by name."""
        return Dashboard.model_validate(await self._transport.data("GET", f"/dashboards/{await self._id(which)}"))

    async def definition(self, which: str | UUID) -> str:
        """A dashboard as YAML, by id or by name."""
        return (await self._transport.send("GET", f"/dashboards/{await self._id(which)}/definition")).text

    async def put_dashboard(self, definition: Any, *, file: str = "dashboard.yaml", version: int | None = None) -> Dashboard:
        """Make or change a dashboard: that of the definition's id, else your own of its name, else a new one.

        Args:
            definition: YAML text, or what has a method ``yaml()``, as `dashapp.build.Dashboard` has.
            file: its name, for messages.
            version: the stored dashboard's version that this was made on; another one is refused.
        """
        text = definition if isinstance(definition, str) else str(definition.yaml())
        params: dict[str, Any] = {"file": file} | ({} if version is None else {"version": version})
        headers = {"Content-Type": "application/yaml"}
        answer = await self._transport.data("POST", "/dashboards/import", content=text.encode(), params=params, headers=headers)
        return Dashboard.model_validate(answer)

    async def save_dashboard(self, dashboard: Dashboard) -> Dashboard:
        """Store a dashboard that was changed; answers it as it is stored now.

        Raises:
            Conflict: somebody changed it since it was read; nothing is stored then.
        """
        try:
            return await self.put_dashboard(dump(document_of(dashboard)), version=dashboard.version)
        except Conflict as error:
            raise Conflict(
                f"{dashboard.name!r} was changed by somebody else since version {dashboard.version}, so nothing was saved; "
                f"read it anew and change it again. ({error})"
            ) from None

    async def snapshot(
        self,
        which: str | UUID,
        *,
        last: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        variables: Mapping[str, str | Sequence[str]] | None = None,
    ) -> bytes:
        """A dashboard as one HTML file that opens from disk: by id or by name, over the last 24 hours unless said otherwise.

        `variables` chooses values by variable, ``{"host": ["a", "b"]}``; ``"$__all"`` is all. Others are what the page shows first.

        Raises:
            ValidationFailed: the dashboard has no such variable.
        """
        shown = shown_range("24h" if last is None and start is None and end is None else last, start, end)
        dashboard = await self._id(which)
        asked: dict[str, str | list[str]] = {"from": shown.start, "to": shown.end}
        if variables:
            check_known(variables, (await self.dashboard(dashboard)).variables)
            asked |= {
                LINK_PREFIX + name: [chosen] if isinstance(chosen, str) else list(chosen) for name, chosen in variables.items()
            }
        answer = await self._transport.send("GET", f"/dashboards/{dashboard}/snapshot", params=asked)
        return answer.content

    async def publish(self, which: str | UUID) -> str:
        """The address of a dashboard's public link, by its id or name: made where there is none.

        It shows the dashboard live to everybody who has it, until `unpublish`.
        """
        link = PublicLink.model_validate(await self._transport.data("POST", f"/dashboards/{await self._id(which)}/publish"))
        return f"{self.url}{link.path}"

    async def unpublish(self, which: str | UUID) -> None:
        """End a dashboard's public link, for good."""
        await self._transport.send("DELETE", f"/dashboards/{await self._id(which)}/publish")

    async def delete_dashboard(self, which: str | UUID) -> None:
        """Delete a dashboard, by id or by name."""
        await self._transport.send("DELETE", f"/dashboards/{await self._id(which)}")

    async def _id(self, which: str | UUID) -> UUID:
        if isinstance(which, UUID):
            return which
        try:
            return UUID(which)
        except ValueError:
            ids = [dashboard.id for dashboard in await self.dashboards() if dashboard.name == which]
        if len(ids) != 1:
            known = "no dashboard" if not ids else f"{len(ids)} dashboards; take the id of one"
            raise ValidationFailed(f"{which!r} names {known}.")
        return ids[0]


def connect_async(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | str | None = None,
    timeout_s: float = 60.0,
    patience_s: float = 30.0,
) -> AsyncClient:
    """A client of a running dashapp: `connect` answers a `Client`, `connect_async` an `AsyncClient`, all of whose methods are
    coroutines.

    Args:
        url: of the server; else ``DASHAPP_URL``, else that of the ``dashapp up`` which runs on this machine.
        token: an API token with scope ``read`` or ``write``; else ``DASHAPP_TOKEN``, else the running dashapp's own for
            whoever may read its data directory.
        data_dir: of the running dashapp, where it isn't the usual one.
        timeout_s: how long the server may take to answer one request.
        patience_s: how long requests are repeated while the server is away.

    Raises:
        StartupError: no server is named and none runs here, or there is no token.
    """
    return AsyncClient(*find(url, token, data_dir), timeout_s=timeout_s, patience_s=patience_s)


__all__ = ["AsyncAlerts", "AsyncClient", "Moment", "RefusedPoints", "connect_async"]
