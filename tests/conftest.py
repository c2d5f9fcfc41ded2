"""Real parts: one embedded PostgreSQL for the test session, a fresh database for each test that asks."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from tests.postgres import own_postgres
from tests.timescale import Timescale

if TYPE_CHECKING:
    from tests.matrix import Matrix

_numbers = itertools.count(1)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes may hold the present time; workers that collect at different moments must name tests alike."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None


#: Seconds that files take which take long, roughly.
_SECONDS = {
    "pages/test_dashboard.py": 65, "cli/test_up.py": 65, "cli/test_crashes.py": 40, "pages/test_signin.py": 25,
    "pages/test_edit.py": 25, "pages/test_accessibility.py": 25, "alerts/test_processes.py": 25, "metrics/test_counters.py": 20,
    "cli/test_ingest.py": 20, "api/test_schemathesis.py": 35, "pages/test_published.py": 20, "pages/test_provider.py": 20,
    "cli/test_agent_and_server.py": 18, "cli/test_backup.py": 18, "cli/test_commands.py": 18, "metrics/test_truth.py": 17,
    "pages/test_range.py": 15, "pages/test_snapshot.py": 15, "metrics/test_retention.py": 15, "agent/test_run.py": 15,
    "live/test_hub.py": 14, "api/test_malformed.py": 22, "pages/test_explore.py": 14, "pages/test_hostile.py": 13,
    "cli/test_dashboards.py": 12, "pages/test_alerts.py": 12, "pages/test_variables.py": 15, "pages/test_reports.py": 12,
    "pages/test_account.py": 10,
    "database/test_breaker.py": 10, "protocols/test_prometheus.py": 10,
}  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where workers share the files, long ones come first: the last to start would leave the others idle."""
    if hasattr(config, "workerinput"):
        tests = Path(__file__).parent
        items.sort(key=lambda item: -_SECONDS.get(item.path.relative_to(tests).as_posix(), 0))


_MEMORY = Path("/dev/shm")
_ROOM = 4 * 1024**3


def _fast_directory() -> str | None:
    """Where hundreds of databases are made and removed in no time: the memory's file system where it has room."""
    fits = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    return str(_MEMORY) if fits else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The server. Every database of the tests is a copy of one that is migrated once."""
    # The machine doesn't lose power in a test; its disk needn't be waited for.
    settings = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}
    with own_postgres(settings, directory=_fast_directory()) as server:
        migrate(server.url)
        yield server


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


def drop_database(server: EmbeddedPostgres, url: str) -> None:
    """Remove a database of `make_database`, whoever is still connected."""
    name = url.rsplit("/", 1)[1].split("?", 1)[0]
    with psycopg.connect(server.url.replace("/dashapp?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    url = make_database(postgres)
    yield url
    drop_database(postgres, url)


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    url = make_database(postgres, template="template1")
    yield url
    drop_database(postgres, url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def matrix(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Matrix]:
    """The whole app with somebody of each kind, for tests that go through all its routes."""
    from tests.matrix import matrix_on

    async with matrix_on(make_database(postgres), tmp_path_factory.mktemp("matrix")) as matrix:
        yield matrix
