"""Notices between processes that share a database: PostgreSQL's LISTEN and NOTIFY, over one connection a process.

A notice only makes things faster. It is lost where nobody listens, while the connection is away, and behind a
transaction pooler; so whoever listens also asks now and then, and again when told that notices may have been missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable

import psycopg
from psycopg import AsyncConnection

from dashapp.database.pool import Connection

log = logging.getLogger(__name__)

#: What a listener is told instead of a payload when notices may have been missed: it has to look for itself.
MISSED = ""
Listener = Callable[[str], None]

#: PostgreSQL's channel. Ours are the first word of its payload, so that one LISTEN serves whoever comes and goes.
_CHANNEL = "dashapp"
#: Seconds without a notice after which the connection is tried, and how long it has to answer.
_QUIET_SECONDS, _ANSWER_SECONDS = 10.0, 5.0
#: Seconds between tries to connect: at first and at most.
_SOONEST, _LATEST = 0.2, 15.0


async def notify(connection: Connection, channel: str, payload: str) -> None:
    """Tell every process that listens to `channel`, this one too, when the caller's transaction commits.

    `channel` is a word, `payload` some text, not empty; together under 8000 bytes. Equal notices of one transaction
    arrive once. In SQL: ``pg_notify('dashapp', 'channel payload')``.
    """
    await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, f"{channel} {payload}"))


class Notices:
    """One process's ear. `start` it on the loop that the listeners run on and `stop` it there."""

    def __init__(self, url: str) -> None:
        self.url = url
        #: Set while notices come in.
        self.connected = asyncio.Event()
        self._listeners: dict[str, list[Listener]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost, in the background."""
        self._task = asyncio.create_task(self._run(), name="dashapp-notices")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the loop with the payload of each notice, or with `MISSED`; the answer ends that.

        It must not block. It is told `MISSED` on every connect, also the first.
        """
        self._listeners.setdefault(channel, []).append(listener)

        def leave() -> None:
            with contextlib.suppress(ValueError):
                self._listeners[channel].remove(listener)

        return leave

    # -- hearing -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        delay, told = _SOONEST, False
        while True:
            try:
                # The server is gone without a word after a power loss: then TCP says so, or the pooler's silence does.
                connection = await AsyncConnection.connect(
                    self.url, autocommit=True, connect_timeout=5, application_name="dashapp notices", prepare_threshold=None,
                    keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
                )  # fmt: skip
                async with connection:
                    if await _through_a_pooler(connection):
                        log.warning(
                            "a pooler lies between dashapp and PostgreSQL, so notices don't come; "
                            "what other processes change shows within 10 s all the same."
                        )
                        return
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    delay, told = _SOONEST, False
                    self.connected.set()
                    self._missed()
                    await self._hear(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                if not told:
                    log.info("listening for notices waits for the database: %s", str(error).strip().split("\n", 1)[0])
                told = True
            finally:
                self.connected.clear()
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))
            delay = min(delay * 2, _LATEST)

    async def _hear(self, connection: AsyncConnection[tuple[object, ...]]) -> None:
        while True:
            async for notice in connection.notifies(timeout=_QUIET_SECONDS):
                channel, _, payload = notice.payload.partition(" ")
                self._tell(channel, payload)
            await asyncio.wait_for(connection.execute("SELECT 1"), _ANSWER_SECONDS)

    def _missed(self) -> None:
        for channel in list(self._listeners):
            self._tell(channel, MISSED)

    def _tell(self, channel: str, payload: str) -> None:
        for listener in list(self._listeners.get(channel, ())):
            try:
                listener(payload)
            except Exception:
                log.exception("a listener to %s failed", channel)


async def _through_a_pooler(connection: AsyncConnection[tuple[object, ...]]) -> bool:
    """Whether the session isn't the connection's own: poolers make up the process that they name when one connects."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return row is None or row[0] != connection.info.backend_pid
