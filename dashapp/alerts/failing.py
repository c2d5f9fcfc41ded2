"""Work for many that one may break: halved until the one at fault stands alone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import psycopg

from dashapp.errors import DashappError, Unavailable

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def alone(items: Sequence[Item], ask: Callable[[Sequence[Item]], Awaitable[list[Answer]]]) -> list[Answer | DashappError]:
    """`ask` of all items at once; where that fails, of each half. By item its answer, or the error that it alone makes.

    Raises:
        Unavailable: the database can't be reached; that is nobody's fault.
    """
    if not items:
        return []
    try:
        return list(await ask(items))
    except Unavailable:
        raise
    except Exception as error:
        if len(items) == 1:
            return [_told(error)]
        middle = len(items) // 2
        return [*await alone(items[:middle], ask), *await alone(items[middle:], ask)]


def _told(error: Exception) -> DashappError:
    if isinstance(error, DashappError):
        return error
    if isinstance(error, psycopg.Error):
        return DashappError(f"the database refuses the rule's query: {error.diag.message_primary or type(error).__name__}.")
    log.warning("an alert rule can't be judged", exc_info=error)
    return DashappError("the rule can't be judged; the server's log says why.")
