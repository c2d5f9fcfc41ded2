"""What a board asks, answered by a client: the same questions that a served page's board asks its hub and reader."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery, Selection
from dashapp.contract.timerange import EARLIEST_MS
from dashapp.errors import DashappError, NotFound
from dashapp.live.hub import Listener, Subscription, now_ms
from dashapp.live.window import LiveQuery, Window

if TYPE_CHECKING:
    from dashapp.client import Client

T = TypeVar("T")
#: How far back the newest sample of an empty panel is looked for, and in buckets of which width.
_SOUGHT_MS, _SOUGHT_STEP_MS = 30 * 86_400_000, 3_600_000


class Source:
    """Asks through `client`, in whose thread the requests run: the notebook's loop stays free."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._windows: dict[LiveQuery, Window] = {}

    async def windows(self, queries: Iterable[LiveQuery], *, fresh: bool = False) -> dict[LiveQuery, Window]:  # noqa: ARG002
        """What each query shows now; one that fails keeps what it showed before, with the error."""
        wanted, moment = list(queries), now_ms()
        answers = await self._frames([query.whole(moment) for query in wanted])
        for query, answer in zip(wanted, answers, strict=True):
            before = self._windows.get(query, Window())
            if isinstance(answer, DashappError):
                self._windows[query] = before.failed(answer)
            else:
                self._windows[query] = before.filled(answer, moment, 0)
        return {query: self._windows[query] for query in wanted}

    async def once(self, selections_and_bounds: list[tuple[LiveQuery, int, int]]) -> list[Window]:
        """What each query shows over [start, end) in Unix ms."""
        queries = [MetricQuery.over(query.selection, start, end, step=query.step_ms) for query, start, end in selections_and_bounds]
        answers = await self._frames(queries)
        return [Window(error=one) if isinstance(one, DashappError) else Window(one, now_ms()) for one in answers]

    def subscribe(self, queries: Iterable[LiveQuery], interval_ms: int, listener: Listener) -> Subscription:  # noqa: ARG002
        """A notebook's boards don't tick: their pages ask."""
        raise AssertionError("boards of notebooks are made with refresh off, and so never subscribe")

    async def newest(self, selection: Selection) -> int | None:
        """About when the newest sample was, Unix ms.

        Raises:
            NotFound: none was in the last 30 days.
        """
        now = now_ms()
        counted = selection.model_copy(update={"aggregation": "count", "function": None, "group_by": []})
        query = MetricQuery.over(counted, max(EARLIEST_MS, now - _SOUGHT_MS), now, step=_SOUGHT_STEP_MS)
        (answer,) = await self._frames([query])
        if isinstance(answer, DashappError) or answer.empty:
            raise NotFound(f"there is no sample of {selection.described()} in the last 30 days.")
        return min(now, int(answer.times[-1]) + _SOUGHT_STEP_MS)

    async def tags(self, metric: str) -> dict[str, list[str]]:
        """The values of a metric's tags.

        Raises:
            NotFound: there is no such metric.
        """
        return await self._call(self._client.asynchronous.tags(metric))

    async def _frames(self, queries: list[MetricQuery]) -> list[Frame | DashappError]:
        try:
            return await self._call(self._client.asynchronous.frames(queries, patience_s=0)) if queries else []
        except DashappError as error:
            return [error] * len(queries)

    async def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(self._client.soon(work))
