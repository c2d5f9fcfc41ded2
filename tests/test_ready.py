"""``/readyz`` says whether requests can be served: the database answers, and its schema is there."""

from __future__ import annotations

from pathlib import Path

import httpx

from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.server import create_app, make_services
from dashapp.settings import Settings


async def test_ready_is_who_has_a_migrated_database_that_answers(empty_database_url: str, tmp_path: Path) -> None:
    database = Database(empty_database_url, size=1)
    await database.open()
    settings = Settings(data_dir=tmp_path, _env_file=None)  # type: ignore[call-arg]
    transport = httpx.ASGITransport(create_app(make_services(settings, database)))
    async with httpx.AsyncClient(transport=transport, base_url="http://dash.test") as client:

        async def told() -> tuple[int, str]:
            assert (await client.get("/healthz")).status_code == 200, "the process lives, whatever its database does"
            answer = await client.get("/readyz")
            return answer.status_code, answer.json().get("error", "")

        status, error = await told()
        assert (status, "dashapp migrate" in error) == (503, True)
        migrate(empty_database_url)
        assert await told() == (200, "")
        await database.close()
        status, error = await told()
        assert (status, error) == (503, "The database can't be reached; try again shortly.")
