"""`Client`: `AsyncClient` for programs without an event loop, and for notebooks, whose loop is taken.

Each call runs in an event loop of the client's own, in a thread of its own, and waits for it. Most methods are those of the
asynchronous client, with its signatures and its words.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, Unpack
from uuid import UUID

from dashapp.client import plots
from dashapp.client.asynchronous import AsyncAlerts, AsyncClient, Moment, connect_async, shown_range
from dashapp.client.stored import StoredDashboard

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
_Run = Callable[[Coroutine[Any, Any, Any]], Any]
_latest: weakref.ref[Client] | None = None


class _Waiting(Generic[A]):
    """Does what `asynchronous` does, and waits for it."""

    def __init__(self, asynchronous: A, run: _Run) -> None:
        #: What does the work, in a loop of its own.
        self.asynchronous = asynchronous
        self._run = run


def _waits(method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[_Waiting[A], P], R]:
    """A method of the asynchronous client, to be called without ``await``."""

    @functools.wraps(method)
    def call(self: _Waiting[A], /, *args: P.args, **how: P.kwargs) -> R:
        answer: R = self._run(method(self.asynchronous, *args, **how))
        return answer

    return call


async def _await(work: Coroutine[Any, Any, R]) -> R:
    return await work


class Alerts(_Waiting[AsyncAlerts]):
    """Alert rules."""

    list = _waits(AsyncAlerts.list)
    create = _waits(AsyncAlerts.create)
    backtest = _waits(AsyncAlerts.backtest)


class Client(_Waiting[AsyncClient]):
    """A dashapp, seen from a program or a notebook. Made by `dashapp.connect`; close it, or use it in ``with``.

    All methods raise one of `dashapp.errors`, with the sentence that the API answers.
    """

    def __init__(self, asynchronous: AsyncClient) -> None:
        from anyio.from_thread import start_blocking_portal

        stack = contextlib.ExitStack()
        portal = stack.enter_context(start_blocking_portal("asyncio", name="dashapp-client"))
        stack.callback(portal.call, asynchronous.close)
        super().__init__(asynchronous, lambda work: portal.call(_await, work))
        self._soon: Callable[[Coroutine[Any, Any, Any]], Future[Any]] = lambda work: portal.start_task_soon(_await, work)
        self._finish = weakref.finalize(self, stack.close)
        #: Where the server is.
        self.url = asynchronous.url
        #: Alert rules and backtests.
        self.alerts = Alerts(asynchronous.alerts, self._run)

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

    def soon(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        """Have `work` of the asynchronous client done without waiting for it."""
        return self._soon(work)

    me = _waits(AsyncClient.me)
    metrics = _waits(AsyncClient.metrics)
    describe = _waits(AsyncClient.describe)
    tags = _waits(AsyncClient.tags)
    query = _waits(AsyncClient.query)
    push = _waits(AsyncClient.push)
    dashboards = _waits(AsyncClient.dashboards)
    save_dashboard = _waits(AsyncClient.save_dashboard)
    definition = _waits(AsyncClient.definition)
    put_dashboard = _waits(AsyncClient.put_dashboard)
    snapshot = _waits(AsyncClient.snapshot)
    publish = _waits(AsyncClient.publish)
    unpublish = _waits(AsyncClient.unpublish)
    delete_dashboard = _waits(AsyncClient.delete_dashboard)

    def plot(self, query: str, **asked: Unpack[plots.Asked]) -> Any:
        # Drawn here and not in the client's thread: HoloViews belongs to the notebook's.
        return plots.overlay(self.query(query, **asked), self._run(self.asynchronous.unit(query, asked)))

    plot.__doc__ = AsyncClient.plot.__doc__

    def dashboard(
        self, which: str | UUID, *, last: str | None = None, start: Moment | None = None, end: Moment | None = None,
        refresh: str = "10s",
    ) -> StoredDashboard:  # fmt: skip
        """One dashboard with its panels, by id or by name, to be changed and put back by its `save`.

        As the last expression of a notebook's cell it is shown, over the range and as often refreshed as said here.
        """
        return StoredDashboard.of(self, self._run(self.asynchronous.dashboard(which)), shown_range(last, start, end), refresh)


def _waiting(connecting: Callable[P, AsyncClient]) -> Callable[P, Client]:
    """The function that takes and says the same, and answers a `Client`."""

    def connect(*args: P.args, **how: P.kwargs) -> Client:
        global _latest
        client = Client(connecting(*args, **how))
        _latest = weakref.ref(client)
        return client

    connect.__doc__ = connecting.__doc__
    connect.__dict__["__signature__"] = inspect.signature(connecting).replace(return_annotation=Client)
    return connect


connect = _waiting(connect_async)


def latest() -> Client:
    """The client that was made last, as a notebook's panels mean it; else a new one.

    Raises:
        StartupError: no server is named and none runs here, or there is no token.
    """
    client = _latest() if _latest is not None else None
    return client if client is not None and client.open else connect()
