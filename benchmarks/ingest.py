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
from collections.abc import Callable, Iterator
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
from dashapp.contract.timerange import from_ms
from dashapp.database import arrays, sql
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.metrics.batches import Batch
from dashapp.metrics.ingest import ROWS_A_STATEMENT, Ingest
from dashapp.metrics.series import series_key
from dashapp.settings import Settings
from tests.running import Dashapp

_SQL = sql.load("dashapp.metrics", "ingest.sql")


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
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE dashapp')  # type: ignore[arg-type]
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
        together = ROWS_A_STATEMENT // INGEST_SERIES
        start = now_ms()
        series = np.repeat(np.array(ids, np.int64), together)
        values = np.array([[ingest_value(n, s) for n in range(together)] for s in range(INGEST_SERIES)]).ravel()
        connection.commit()
        began = time.perf_counter()
        for number in range(0, points // INGEST_SERIES, together):
            times = np.tile(start + (number + np.arange(together)) * INGEST_STEP_MS, INGEST_SERIES)
            connection.execute(_SQL["upsert"], {"series": series, "times": times.astype("datetime64[ms]"), "values": values})
            connection.commit()
        return points / (time.perf_counter() - began)


def prepare_series(url: str) -> None:
    """The series and today's partitions, through ingest."""
    in_process(url, 0)


def in_process(url: str, points: int) -> float:
    """Points a second through `Ingest.write`, eight requests at a time, as columns. The series exist."""
    keys = [series_key("bench.load", ingest_tags(series)) for series in range(INGEST_SERIES)]
    index, values = np.arange(INGEST_SERIES), np.array([ingest_value(0, series) for series in range(INGEST_SERIES)])
    start = now_ms()

    async def run() -> float:
        async with ingesting(url) as ingest:
            await ingest.write(Batch(keys, index, np.full(INGEST_SERIES, start), values))
            began = time.perf_counter()
            numbers = iter(range(points // INGEST_SERIES))

            async def sender() -> None:
                for number in numbers:
                    times = np.full(INGEST_SERIES, start + number * INGEST_STEP_MS)
                    await ingest.write(Batch(keys, index, times, values))

            await asyncio.gather(*(sender() for _ in range(8)))
            return points / (time.perf_counter() - began)

    return uvloop.run(run())


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
    running = Dashapp(
        "serve", "--port", "0", "--data-dir", str(bench.directory), env={"DASHAPP_DATABASE_URL": url, "DASHAPP_RATE_LIMIT": "0"}
    )
    try:
        yield running.ready(), secret
    finally:
        running.stop()
        bench.drop(url)


def send(url: str, token: str, points: int, **options: float) -> dict[str, float]:
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.load", f"{url}/api/v1/metrics", token,
               "--requests", str(points // INGEST_SERIES), *arguments]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


class Watch:
    """What others feel meanwhile, in ms: a request that needs nothing but the event loop, and a query of one series' hour."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.loop: list[float] = []
        self.queries: list[float] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask_loop), threading.Thread(target=self._ask_query)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask_loop(self) -> None:
        with httpx.Client(base_url=self.url) as client:
            while not self._ended.wait(0.005):
                self.loop.append(_timed_ms(lambda: client.get("/healthz")))

    def _ask_query(self) -> None:
        number = 0
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}) as client:
            while not self._ended.wait(0.1):
                number += 1
                end = time.time()
                body = {
                    "query": "bench.load", "step": "10s", "tags": ingest_tags(number % INGEST_SERIES),
                    "start": from_ms(int(end - 3600) * 1000).isoformat(), "end": from_ms(int(end) * 1000).isoformat(),
                }  # fmt: skip
                self.queries.append(_timed_ms(lambda body=body: client.post("/api/v1/query", json=body)))  # type: ignore[misc]


def _timed_ms(ask: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    ask().raise_for_status()
    return (time.perf_counter() - began) * 1e3


def cpu_us(process: psutil.Process, points: float, before: float) -> float:
    return (sum(process.cpu_times()[:2]) - before) / points * 1e6


def run(bench: Bench, options: argparse.Namespace) -> None:
    floor, inside, http, costs = [], [], [], []
    for _ in range(options.runs):
        url = bench.database()
        floor.append(direct(url, options.points))
        bench.drop(url)
        url = bench.database()
        inside.append(in_process(url, options.points))
        bench.drop(url)
        with server(bench) as (running, token):
            send(running.url, token, 20 * INGEST_SERIES)
            process = psutil.Process(running.process.pid)
            before = sum(process.cpu_times()[:2])
            sent = send(running.url, token, options.points, connections=16)
            http.append(sent["points"] / sent["seconds"])
            costs.append(cpu_us(process, sent["points"], before))
        print(f"  direct {floor[-1]:,.0f}  in the process {inside[-1]:,.0f}  over HTTP {http[-1]:,.0f} points/s", flush=True)
    peak = statistics.median(http)
    print(f"direct upsert             {statistics.median(floor):>10,.0f} points/s")
    for name, figures in (("Ingest, in the process", inside), ("JSON over HTTP", http)):
        ratio = statistics.median(figure / base for figure, base in zip(figures, floor, strict=True))
        print(f"{name:<26}{statistics.median(figures):>10,.0f} points/s, {ratio:.2f} of the direct upsert")
    print(f"server CPU                {statistics.median(costs):>10.2f} µs a point")

    with server(bench) as (running, token):
        send(running.url, token, 20 * INGEST_SERIES)
        rate = peak / 2 / INGEST_SERIES
        with Watch(running.url, token) as watch:
            sent = send(running.url, token, int(options.seconds * peak / 2), connections=16, rate=rate)
        print(f"at half of that, {sent['points'] / sent['seconds']:,.0f} points/s for {sent['seconds']:.0f} s:")
        for name, figures in (("event loop answers", watch.loop), ("query of an hour", watch.queries)):
            p50, p95 = np.percentile(figures, [50, 95])
            print(f"  {name:<24}{p50:>6.1f} ms p50 {p95:>6.1f} ms p95 {max(figures):>6.1f} ms max ({len(figures)} asked)")

    if options.memory:
        with server(bench) as (running, token):
            process = psutil.Process(running.process.pid)
            sizes = []
            for _ in range(10):
                send(running.url, token, options.memory // 10, connections=16)
                sizes.append(process.memory_info().rss / 2**20)
            print(f"memory over {options.memory:,} points: {' '.join(f'{size:.0f}' for size in sizes)} MiB after each tenth")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000, help="points of each measurement")
    parser.add_argument("--runs", type=int, default=3, help="rounds of which the median counts")
    parser.add_argument("--seconds", type=int, default=20, help="how long at half the peak")
    parser.add_argument("--memory", type=int, default=10_000_000, help="points while memory is watched; 0 leaves it out")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="dashapp-bench-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # the database has a user of its own
        bench = Bench(Path(directory))
        try:
            run(bench, options)
        finally:
            bench.postgres.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
