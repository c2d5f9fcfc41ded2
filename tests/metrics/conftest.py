"""A store whose clock the test moves: ingest, reader and storage job on a fresh database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pytest

from dashapp.contract.frames import Frame
from dashapp.contract.metrics import MetricQuery, Point, Selection
from dashapp.contract.timerange import from_ms
from dashapp.database.pool import Database
from dashapp.database.tier import POSTGRES, TIMESCALEDB
from dashapp.metrics.catalog import Catalog
from dashapp.metrics.clock import system_clock
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.query import Reader
from dashapp.metrics.rollups.jobs import StorageJobs
from dashapp.settings import Settings
from tests.conftest import make_database
from tests.metrics.model import ManualClock
from tests.timescale import EMPTY, Timescale

#: Marks of tests that run on both tiers, and of those that are about one tier's means.
both_tiers = pytest.mark.tiers(POSTGRES, TIMESCALEDB)
postgres_only = pytest.mark.tiers(POSTGRES)
timescaledb_only = pytest.mark.tiers(TIMESCALEDB)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@dataclass
class Store:
    database: Database
    settings: Settings
    clock: ManualClock
    ingest: Ingest
    reader: Reader
    jobs: StorageJobs
    catalog: Catalog

    async def write(self, name: str, *samples: tuple[int, float], **tags: str) -> int:
        return await self.ingest.write([Point(name=name, value=value, tags=tags, timestamp=time) for time, value in samples])

    async def ask(self, name: str, start: int, end: int, **how: object) -> Frame:
        selection = Selection(query=name, **{key: value for key, value in how.items() if key not in ("step", "max_points")})
        query = MetricQuery.over(selection, start, end, **{key: how[key] for key in ("step", "max_points") if key in how})
        # Who groups the rows makes no difference to the answer, nor who makes the frame: half of the questions are for the
        # database, however few rows, and half of the answers for a thread.
        lot = crc32(query.model_dump_json().encode())
        with pytest.MonkeyPatch.context() as patch:
            if lot & 1:
                patch.setattr("dashapp.metrics.query.most_rows", lambda rows, cells: 0)
            if lot & 2:
                patch.setattr("dashapp.metrics.query.CELLS_A_TURN", 0)
            return await self.reader.frame(query)

    async def rows(self, statement: str, *values: object) -> list[dict[str, object]]:
        async with self.database.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()

    async def value(self, statement: str, *values: object) -> object:
        return next(iter((await self.rows(statement, *values))[0].values()))

    async def watermark(self, now_ms: int) -> None:
        """Put the watermarks where a refresh at `now_ms` last stood: the migration sets them to the machine's clock."""
        await self.rows(
            "UPDATE rollup_watermarks SET watermark = date_trunc('hour', %s::timestamptz) RETURNING level", from_ms(now_ms)
        )

    def process(self) -> Ingest:
        """The ingest of another process on the same database."""
        return Ingest(self.database, self.settings, clock=self.clock)


def make_store(database: Database, clock: ManualClock, **settings: object) -> Store:
    chosen = Settings(_env_file=None, data_dir=Path("unused"), **settings)  # type: ignore[call-arg]
    return Store(
        database, chosen, clock, Ingest(database, chosen, clock=clock), Reader(database, chosen, clock=clock),
        StorageJobs(database, chosen, clock=clock), Catalog(database),
    )  # fmt: skip


async def emptied(database: Database) -> None:
    """Remove all rows: a database of its own for each example of a property would cost more than the example."""
    async with database.connection() as connection:
        await connection.execute(EMPTY)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests run on the tiers that they, or their module, name; on the tier postgres where none is named."""
    if "tier" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("tiers")
        metafunc.parametrize("tier", marker.args if marker else [POSTGRES], indirect=True)


@pytest.fixture
def tier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(tier: str, request: pytest.FixtureRequest) -> str:
    if tier == POSTGRES:
        return make_database(request.getfixturevalue("postgres"))
    server: Timescale = request.getfixturevalue("timescale")
    server.empty()
    return server.url


@pytest.fixture
async def database(database_url: str, tier: str) -> AsyncIterator[Database]:
    database = Database(database_url, size=1 if tier == TIMESCALEDB else 8)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """A store at the machine's own time, which stands still."""
    made = make_store(database, ManualClock(system_clock()))
    await made.jobs.settle()
    await made.ingest.start()
    yield made
    await made.ingest.stop()
