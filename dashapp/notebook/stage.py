"""`Stage`: what a notebook shows of a board, a Panel component whose page asks the kernel for what changed."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from dashapp.snapshots import inline

log = logging.getLogger(__name__)

#: Answers what the page in the notebook asks.
Answer = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


@cache
def _page() -> str:
    return inline.page("notebook")


@cache
def _digest() -> str:
    return hashlib.sha256(_page().encode()).hexdigest()[:12]


class Stage(JSComponent):
    """Shows what `answer` tells. A question is made by each page that can be seen, so that nothing is asked for nobody."""

    _esm = Path(__file__).parent / "stage.js"

    title = param.String(default="", doc="What is shown, for who can't see it.")
    rows = param.Integer(default=4, doc="The height at first, in rows of the grid.")
    page = param.String(default="", doc="Which page is wanted: pages of one kind are sent once.")

    def __init__(self, answer: Answer, **params: Any) -> None:
        super().__init__(page=_digest(), sizing_mode="stretch_width", **params)
        self._answer = answer
        self._answering: set[asyncio.Task[None]] = set()

    def nudge(self) -> None:
        """Have the pages ask now."""
        self._send_msg({"nudge": True})

    def _handle_msg(self, data: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._reply(dict(data)))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _reply(self, asked: dict[str, Any]) -> None:
        try:
            answer = {"page": _page()} if asked.get("page") else await self._answer(asked)
        except Exception:
            log.exception("a board in a notebook failed")
            answer = {"error": "Something went wrong in the kernel; its log says what."}
        self._send_msg({"id": asked.get("id"), **answer})
