"""Real parts: one embedded PostgreSQL for the test session, a fresh database for each test that asks."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from tests.timescale import Timescale

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The server. Its directory lies under the system's temporary one, which root's database user can enter."""
    with tempfile.TemporaryDirectory(prefix="dashapp-test-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        # The machine doesn't lose power in a test; its disk needn't be waited for.
        server = EmbeddedPostgres(Path(directory), {"fsync": "off", "full_page_writes": "off", "max_connections": "100"})
        server.start()
        # Every database of the tests is a copy of one that is migrated once.
        migrate(server.url)
        yield server
        server.stop()


@pytest.fixture(scope="session")
def timescale() -> Iterator[Timescale]:
    """TimescaleDB with a migrated database. It is one for all tests: `Timescale.empty` it first."""
    server = Timescale()
    try:
        migrate(server.url)
        yield server
    finally:
        server.stop()


def make_database(server: EmbeddedPostgres, *, template: str = "dashapp") -> str:
    """The URL of a fresh database; of an empty one with ``template="template1"``."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url.replace("/dashapp?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.url.replace("/dashapp?", f"/{name}?")


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> str:
    return make_database(postgres)


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> str:
    return make_database(postgres, template="template1")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()
