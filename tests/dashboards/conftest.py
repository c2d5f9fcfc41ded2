from __future__ import annotations

from uuid import UUID

import pytest

from dashapp.dashboards.store import Dashboards
from dashapp.database.pool import Database


@pytest.fixture
def store(database: Database) -> Dashboards:
    return Dashboards(database)


@pytest.fixture
async def owner(database: Database) -> UUID:
    async with database.connection() as connection:
        cursor = await connection.execute("INSERT INTO users (email, role) VALUES ('ada@example.org', 'editor') RETURNING id")
        row = await cursor.fetchone()
    assert row is not None
    return UUID(str(row["id"]))
