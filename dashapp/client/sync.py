"""`Client`: `AsyncClient` for programs without an event loop, and for notebooks, whose loop is taken.

Each call runs in an event loop of the client's own, in a thread of its own, and waits for it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack
from uuid import UUID

from dashapp.client import plots
from dashapp.client.asynchronous import AsyncClient, Moment, shown_range
from dashapp.client.stored import StoredDashboard
from dashapp.client.where import find
from dashapp.contract.accounts import User
from dashapp.contract.dashboards import Dashboard, DashboardSummary
from dashapp.contract.metrics import MetricInfo, MetricType

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
_latest: weakref.ref[Client] | None = None
_Call = Callable[[Coroutine[Any, Any, Any]], Any]


async def _await(work: Coroutine[Any, Any, T]) -> T:
    return await work


class Alerts:
    """Alert rules."""

    def __init__(self, client: AsyncClient, call: _Call) -> None:
        self._client, self._call = client, call

    def list(self) -> list[dict[str, Any]]:
        """All rules with their present state, as the API answers them."""
        rules: list[dict[str, Any]] = self._call(self._client.alerts.list())
        return rules

    def backtest(
        self, rule: Mapping[str, Any], *, last: str | None = None, start: Moment | None = None, end: Moment | None = None
    ) -> dict[str, Any]:
        """What `rule` would have done over a range; see `AsyncAlerts.backtest`."""
        answer: dict[str, Any] = self._call(self._client.alerts.backtest(rule, last=last, start=start, end=end))
        return answer


class Client:
    """A dashapp, seen from a program or a notebook. Made by `dashapp.connect`; close it, or use it in ``with``.

    All methods raise one of `dashapp.errors`, with the sentence that the API answers.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0, patience_s: float = 30.0) -> None:
        from anyio.from_thread import start_blocking_portal

        stack = contextlib.ExitStack()
        portal = stack.enter_context(start_blocking_portal("asyncio", name="dashapp-client"))
        self._client = portal.call(lambda: AsyncClient(url, token, timeout_s=timeout_s, patience_s=patience_s))
        stack.callback(portal.call, self._client.close)
        self._run: _Call = lambda work: portal.call(_await, work)
        self._soon: Callable[[Coroutine[Any, Any, Any]], Future[Any]] = lambda work: portal.start_task_soon(_await, work)
        self._finish = weakref.finalize(self, stack.close)
        #: Where the server is.
        self.url = url
        #: Alert rules and backtests.
        self.alerts = Alerts(self._client, self._run)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._finish()

    @property
    def open(self) -> bool:
        """Whether it isn't closed."""
        return self._finish.alive

    @property
    def asynchronous(self) -> AsyncClient:
        """The client that does the work, in a loop of its own: what it is to do goes there by `soon`."""
        return self._client

    def soon(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have `work` of the asynchronous client done without waiting for it."""
        return self._soon(work)

    def me(self) -> User:
        """Who the token acts for."""
        user: User = self._run(self._client.me())
        return user

    def metrics(self, part: str = "", *, limit: int = 1000) -> list[MetricInfo]:
        """The metrics whose name contains `part`, with type, unit and description as far as they are known."""
        found: list[MetricInfo] = self._run(self._client.metrics(part, limit=limit))
        return found

    def describe(
        self, name: str, *, type: MetricType | None = None, unit: str | None = None, description: str | None = None
    ) -> MetricInfo:
        """Say what a metric is; what is left out stays. Plots and new panels show it."""
        info: MetricInfo = self._run(self._client.describe(name, type=type, unit=unit, description=description))
        return info

    def tags(self, name: str) -> dict[str, list[str]]:
        """The values of each of a metric's tags."""
        found: dict[str, list[str]] = self._run(self._client.tags(name))
        return found

    def query(
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
        table: pd.DataFrame = self._run(
            self._client.query(
                query, last=last, start=start, end=end, by=by, step=step, tags=tags,
                aggregation=aggregation, function=function, max_points=max_points, fresh=fresh,
            )
        )  # fmt: skip
        return table

    query.__doc__ = AsyncClient.query.__doc__

    def plot(self, query: str, **asked: Unpack[plots.Asked]) -> Any:
        # Drawn here and not in the client's thread: HoloViews belongs to the notebook's.
        return plots.overlay(self.query(query, **asked), self._run(self._client.unit(query, asked)))

    plot.__doc__ = AsyncClient.plot.__doc__

    def push(self, table: pd.DataFrame | pd.Series[Any], *, name: str | None = None, tags: Mapping[str, str] | None = None) -> int:
        stored: int = self._run(self._client.push(table, name=name, tags=tags))
        return stored

    push.__doc__ = AsyncClient.push.__doc__

    def dashboards(self) -> list[DashboardSummary]:
        """The dashboards that you may see, by name."""
        found: list[DashboardSummary] = self._run(self._client.dashboards())
        return found

    def dashboard(
        self, which: str | UUID, *, last: str | None = None, start: Moment | None = None, end: Moment | None = None,
        refresh: str = "10s",
    ) -> StoredDashboard:  # fmt: skip
        """One dashboard with its panels, by id or by name, to be changed and put back by its `save`.

        As the last expression of a notebook's cell it is shown, over the range and as often refreshed as said here.
        """
        return StoredDashboard.of(self, self._run(self._client.dashboard(which)), shown_range(last, start, end), refresh)

    def save_dashboard(self, dashboard: Dashboard) -> Dashboard:
        stored: Dashboard = self._run(self._client.save_dashboard(dashboard))
        return stored

    save_dashboard.__doc__ = AsyncClient.save_dashboard.__doc__

    def definition(self, which: str | UUID) -> str:
        """A dashboard as YAML, by id or by name."""
        text: str = self._run(self._client.definition(which))
        return text

    def put_dashboard(self, definition: Any, *, file: str = "dashboard.yaml", version: int | None = None) -> Dashboard:
        stored: Dashboard = self._run(self._client.put_dashboard(definition, file=file, version=version))
        return stored

    put_dashboard.__doc__ = AsyncClient.put_dashboard.__doc__

    def snapshot(
        self, which: str | UUID, *, last: str | None = None, start: Moment | None = None, end: Moment | None = None
    ) -> bytes:
        content: bytes = self._run(self._client.snapshot(which, last=last, start=start, end=end))
        return content

    snapshot.__doc__ = AsyncClient.snapshot.__doc__

    def delete_dashboard(self, which: str | UUID) -> None:
        """Delete a dashboard, by id or by name."""
        self._run(self._client.delete_dashboard(which))


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | str | None = None,
    timeout_s: float = 60.0,
    patience_s: float = 30.0,
) -> Client:
    """A client; see `dashapp.connect`."""
    global _latest
    client = Client(*find(url, token, data_dir), timeout_s=timeout_s, patience_s=patience_s)
    _latest = weakref.ref(client)
    return client


def latest() -> Client:
    """The client that was made last, as a notebook's panels mean it; else a new one.

    Raises:
        StartupError: no server is named and none runs here, or there is no token.
    """
    client = _latest() if _latest is not None else None
    return client if client is not None and client.open else connect()
