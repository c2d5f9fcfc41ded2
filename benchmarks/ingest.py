"""Points in: the direct upsert, `Ingest` in the process, and JSON over HTTP, on one machine in one run.

``python -m benchmarks.ingest [--points 1000000] [--memory 10000000]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
import psycopg
import uvloop

from benchmarks.data import INGEST_SERIES, INGEST_STEP_MS, ingest_tags, ingest_value
from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import TokenRequest
from dashapp.contract.metrics import Point
from dashapp.database import arrays, sql
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.metrics.batches import Batch
from dashapp.metrics.ingest import ROWS_A_STATEMENT, Ingest
from dashapp.settings import Settings
from tests.running import Dashapp

_SQL = sql.load("dashapp.metrics", "ingest.sql")
_POINTS_A_REQUEST = INGEST_SERIES


class Bench:
    """One embedded PostgreSQL with its usual settings, and a migrated database for each measurement."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.postgres = EmbeddedPostgres(directory)
        self.postgres.start()
        migrate(self.postgres.url)
        self._made = 0

    def database(self) -> str:
        self._made += 1
        name = f"bench_{self._made}"
        with psycopg.connect(self.postgres.url.replace("/dashapp?", "/postgres?"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE dashapp')  # type: ignore[arg-type]  # noqa: S608
        return self.postgres.url.replace("/dashapp?", f"/{name}?")

    def drop(self, url: str) -> None:
        """Its files go, so that what is written for it doesn't weigh on the next one."""
        name = url.rsplit("/", 1)[1].split("?")[0]
        with psycopg.connect(self.postgres.url.replace("/dashapp?", "/postgres?"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]
            connection.execute("CHECKPOINT")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def direct(url: str, points: int) -> float:
    """Points a second of the bare statement: the rows of five requests each, ready as arrays, a commit each."""
    prepare_series(url)
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        arrays.register(connection)
        connection.prepare_threshold = None
        ids = [row[0] for row in connection.execute("SELECT id FROM series ORDER BY id")]
        together = ROWS_A_STATEMENT // _POINTS_A_REQUEST
        start = now_ms()
        series = np.repeat(np.array(ids, np.int64), together)
        values = np.array([[ingest_value(n, s) for n in range(together)] for s in range(INGEST_SERIES)]).ravel()
        connection.commit()
        began = time.perf_counter()
        for number in range(0, points // _POINTS_A_REQUEST, together):
            times = np.tile(start + (number + np.arange(together)) * INGEST_STEP_MS, INGEST_SERIES)
            connection.execute(_SQL["upsert"], {"series": series, "times": times.astype("datetime64[ms]"), "values": values})
            connection.commit()
        return points / (time.perf_counter() - began)


def prepare_series(url: str) -> None:
    """The series and today's partitions, through ingest."""

    async def run() -> None:
        async with ingesting(url) as ingest:
            await ingest.write([Point(name="bench.load", value=0.0, tags=ingest_tags(n)) for n in range(INGEST_SERIES)])

    uvloop.run(run())


class ingesting:
    """`Ingest` in this process on a database."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.ingest = Ingest(self.database, Settings(_env_file=None, data_dir=Path("unused")))  # type: ignore[call-arg]

    async def __aenter__(self) -> Ingest:
        await self.database.open()
        await self.ingest.start()
        return self.ingest

    async def __aexit__(self, *_: object) -> None:
        await self.ingest.stop()
        await self.database.close()


@contextmanager
def server(bench: Bench) -> Iterator[tuple[Dashapp, str]]:
    """``dashapp serve`` with an ingest token."""
    url = bench.database()

    async def token() -> str:
        database = Database(url, size=1)
        await database.open()
        accounts = Accounts(database)
        user = await accounts.ensure_admin("admin@example.org", "correct horse battery")
        made = await accounts.create_token(user, TokenRequest(name="bench", scope="write"))
        await database.close()
        return made.token

    secret = asyncio.run(token())
    running = Dashapp("serve", "--port", "0", "--data-dir", str(bench.directory), env={"DASHAPP_DATABASE_URL": url})
    try:
        yield running.ready(), secret
    finally:
        running.stop()
        bench.drop(url)


def send(url: str, token: str, points: int, **options: float) -> dict[str, float]:
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.load", f"{url}/api/v1/metrics", token,
               "--requests", str(points // _POINTS_A_REQUEST), *arguments]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer
