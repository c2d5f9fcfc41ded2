"""With the database away, requests are told so at once; when it is back, they are answered by themselves."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import psutil
import pytest

from dashapp.database import breaker, pool
from dashapp.database.breaker import Breaker
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.pool import Database, StatementTimeout
from dashapp.errors import Unavailable
from tests.postgres import own_postgres
from tests.running import until


@pytest.fixture
def mortal() -> Iterator[EmbeddedPostgres]:
    """A server of this test's own."""
    with own_postgres({"fsync": "off"}) as server:
        yield server


@pytest.fixture
async def database(mortal: EmbeddedPostgres) -> AsyncIterator[Database]:
    database = Database(mortal.url)
    await database.open()
    yield database
    await database.close()


async def _asked(database: Database, statement: str = "SELECT 1") -> None:
    async with database.connection() as connection:
        await connection.execute(statement)  # type: ignore[arg-type]


async def test_a_killed_server_is_told_of_at_once_and_its_return_is_noticed(
    mortal: EmbeddedPostgres, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await _asked(database)
    assert mortal.pid
    server = psutil.Process(mortal.pid)
    workers = server.children()
    os.kill(server.pid, signal.SIGKILL)
    psutil.wait_procs([server, *workers], timeout=20)
    answers = await asyncio.gather(*(_asked(database) for _ in range(4)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(Unavailable) as caught:
            await _asked(database)
    assert time.monotonic() - began < 1
    assert caught.value.retry_after
    assert caplog.text.count("requests are told so at once") == 1
    mortal.revive()
    async with asyncio.timeout(30):
        while True:
            try:
                await _asked(database)
                break
            except Unavailable:
                await asyncio.sleep(0.05)
    assert "the database answers again" in caplog.text
    await asyncio.gather(*(_asked(database) for _ in range(20)))


async def test_what_is_wrong_with_a_request_does_not_open_it(database: Database) -> None:
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            async with database.connection():
                raise ZeroDivisionError
        with pytest.raises(Exception, match="nothing"):
            await _asked(database, "SELECT * FROM nothing")
    await _asked(database)


async def test_statements_that_take_too_long_open_it_only_when_nothing_else_works(
    mortal: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "STATEMENT_TIMEOUT_MS", 20)
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.1)
    database = Database(mortal.url, size=2)
    await database.open()

    async def slowly(times: int) -> None:
        for _ in range(times):
            with pytest.raises(StatementTimeout):
                await _asked(database, "SELECT pg_sleep(5)")

    for _ in range(3):
        await slowly(7)
        await _asked(database)
    await slowly(8)
    with pytest.raises(Unavailable) as caught:
        await _asked(database)
    assert not isinstance(caught.value, StatementTimeout)
    await asyncio.sleep(0.15)
    await _asked(database)
    await database.close()


def _opened(monkeypatch: pytest.MonkeyPatch) -> Breaker:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.01)
    made = Breaker()
    for _ in range(3):
        made.leave(made.enter())
        made.gone()
    with pytest.raises(Unavailable):
        made.enter()
    return made


def _tries(made: Breaker) -> bool:
    """Whether the pause is over and this entry is the one that tries."""
    try:
        return made.enter()
    except Unavailable:
        return False


def test_one_tries_while_the_others_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _opened(monkeypatch)
    assert until(lambda: _tries(made), "the pause to end")
    for _ in range(3):
        with pytest.raises(Unavailable):
            made.enter()
    made.answered()
    made.leave(True)
    assert not made.enter()


def test_a_try_that_fails_or_is_given_up_lets_another_try_later(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _opened(monkeypatch)
    assert until(lambda: _tries(made), "the pause to end")
    made.gone()
    made.leave(True)
    with pytest.raises(Unavailable):
        made.enter()
    assert until(lambda: _tries(made), "the pause to end")
    made.leave(True)  # cancelled: nothing is known
    assert made.enter()
