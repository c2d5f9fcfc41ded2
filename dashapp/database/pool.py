"""The psycopg connection pool, and the one place where a database that is away becomes `Unavailable`."""

from __future__ import annotations

import logging
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from dashapp.database import arrays
from dashapp.database.breaker import Breaker
from dashapp.errors import DashappError, Unavailable

log = logging.getLogger(__name__)

Row = dict[str, object]
Connection = AsyncConnection[dict[str, object]]

#: No statement of a request runs longer; jobs raise it for their own transaction.
STATEMENT_TIMEOUT_MS = 10_000
#: Seconds without use after which a connection is asked whether it still is one.
_QUIET_SECONDS = 5.0
_GONE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


def _options() -> str:
    # The planner cannot know how little lies beyond a watermark, and would start parallel workers for it, which takes
    # longer than the query.
    settings = {
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "timezone": "UTC",
        "client_encoding": "UTF8",
        "max_parallel_workers_per_gather": 0,
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


async def _configure(connection: AsyncConnection[object]) -> None:
    arrays.register(connection)
    connection.prepare_threshold = None  # plans with known bounds prune partitions; and poolers are left in peace


def _has_word(connection: Connection) -> bool:
    """Whether something came in that nobody asked for."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class StatementTimeout(DashappError):
    """The database took too long; ask for a shorter range or a wider step."""

    status, code = 503, "UNAVAILABLE"


class Database:
    """A pool of connections to one PostgreSQL. `open` it on the loop that uses it and `close` it there."""

    def __init__(self, url: str, *, size: int = 8) -> None:
        self.url = url
        self._breaker = Breaker()
        #: When a connection was last handed out.
        self._used: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        #: The storage tier, once `dashapp.database.tier.tier_of` has asked for it.
        self.tier: str | None = None
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            open=False,
            min_size=1,
            max_size=size,
            timeout=3,
            reconnect_timeout=5,
            configure=_configure,
            check=self._check,
            kwargs={
                "row_factory": dict_row,
                "connect_timeout": 3,
                "options": _options(),
                "application_name": "dashapp",
            },
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close(timeout=5)

    async def _check(self, connection: Connection) -> None:
        """Whether a connection that lay in the pool still is one; the pool replaces it where this raises.

        A server that hung up has left word in the socket. Only one that was silent for long is asked, in a round trip.
        """
        now = monotonic()
        quiet = now - self._used.get(connection, 0.0) > _QUIET_SECONDS
        self._used[connection] = now
        if quiet or _has_word(connection):
            await AsyncConnectionPool.check_connection(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that commits when the block ends well.

        Raises:
            Unavailable: the database can't be reached or went away; at once where that is known (`dashapp.database.breaker`).
            StatementTimeout: a statement ran too long.
        """
        trying = self._breaker.enter()
        try:
            async with self._pool.connection() as connection:
                yield connection
            self._breaker.answered()
        except psycopg.errors.QueryCanceled as error:
            self._breaker.slow()
            raise StatementTimeout() from error
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable):
            self._breaker.answered()
            raise  # OperationalErrors too, but the database is well: whoever asked may try again
        except _GONE as error:
            self._breaker.gone()
            log.warning("database unavailable: %s", str(error).strip().splitlines()[0] if str(error) else type(error).__name__)
            raise Unavailable() from error
        except Exception:  # whoever asked failed; a connection was to be had
            self._breaker.answered()
            raise
        finally:
            self._breaker.leave(trying)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Connection]:
        """A connection in no transaction, for procedures that make their own.

        Raises:
            Unavailable, StatementTimeout: as `connection`.
        """
        async with self.connection() as connection:
            await connection.set_autocommit(True)
            try:
                yield connection
            finally:
                if not connection.closed:
                    await connection.set_autocommit(False)
