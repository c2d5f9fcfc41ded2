"""Notices between processes, over a connection that may be lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from dashapp.database.notices import MISSED, Notices, notify
from dashapp.database.pool import Database


class Ear:
    """What a listener was told, one by one."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()

    def __call__(self, payload: str) -> None:
        self.told.put_nowait(payload)

    async def hears(self, *payloads: str) -> None:
        for payload in payloads:
            assert await asyncio.wait_for(self.told.get(), 20) == payload


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[Notices, Ear]]:
    notices, ear = Notices(url), Ear()
    notices.listen("news", ear)
    notices.start()
    try:
        await ear.hears(MISSED)
        yield notices, ear
    finally:
        await notices.stop()


async def test_what_is_committed_is_heard_by_all_who_listen_to_that_channel(database: Database) -> None:
    async with listening(database.url) as (_, here), listening(database.url) as (notices, there):
        other = Ear()
        notices.listen("other", other)
        async with database.connection() as connection:
            await notify(connection, "news", "one two")
            await notify(connection, "other", "ü")
            await notify(connection, "nobody", "x")
            await asyncio.sleep(0)
            assert here.told.empty()
        for ear in (here, there):
            await ear.hears("one two")
        await other.hears("ü")
        async with database.connection() as connection:
            await notify(connection, "news", "undone")
            await connection.rollback()
        async with database.connection() as connection:
            await notify(connection, "news", "three")
        await here.hears("three")


async def test_a_listener_that_left_hears_nothing_and_one_that_fails_disturbs_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(database.url) as (notices, ear):
        gone = Ear()
        leave = notices.listen("news", gone)
        notices.listen("news", lambda payload: 1 / 0)  # type: ignore[arg-type, return-value]
        last = Ear()
        notices.listen("news", last)
        leave()
        leave()
        async with database.connection() as connection:
            await notify(connection, "news", "one")
        await ear.hears("one")
        await last.hears("one")
        assert gone.told.empty()
        assert "a listener to news failed" in caplog.text


async def test_after_a_lost_connection_listeners_are_told_that_they_may_have_missed_some(database: Database) -> None:
    async with listening(database.url) as (notices, ear):
        for word in ("one", "two"):
            async with database.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'dashapp notices' AND datname = current_database()"
                )
            await ear.hears(MISSED)
            assert notices.connected.is_set()
            async with database.connection() as connection:
                await notify(connection, "news", word)
            await ear.hears(word)


async def test_it_waits_for_a_database_that_is_away(postgres_away: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    notices = Notices(postgres_away)
    notices.start()
    async with asyncio.timeout(20):
        while "waits for the database" not in caplog.text:
            await asyncio.sleep(0.01)
    assert not notices.connected.is_set()
    await notices.stop()
    assert caplog.text.count("waits for the database") == 1


@pytest.fixture
def postgres_away(database_url: str) -> str:
    url = database_url.replace("/test_", "/nothing_")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    return url
