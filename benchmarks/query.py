"""What a query costs over HTTP: ten series of 30 days, beside VictoriaMetrics with the same samples in the same run.

``python -m benchmarks.query [--days 30] [--runs 200]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import Scope, TokenRequest
from dashapp.contract.timerange import from_ms
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.metrics.clock import DAY, HOUR, MINUTE, SECOND, floor_to, system_clock
from dashapp.metrics.rollups.jobs import StorageJobs
from dashapp.metrics.rollups.partitions import Partitions
from dashapp.metrics.series import SeriesIds, series_key
from dashapp.settings import Settings
from tests import debian
from tests.running import Dashapp

METRIC, SERIES, EVERY_MS = "bench_load", 10, 10 * SECOND


@dataclass(frozen=True)
class Question:
    name: str
    span_ms: int
    step_ms: int
    step: str


QUESTIONS = (
    Question("1 h raw", HOUR, 10 * SECOND, "10s"),
    Question("24 h", DAY, 5 * MINUTE, "5m"),
    Question("30 d", 30 * DAY, 2 * HOUR, "2h"),
)


def samples(start_ms: int, end_ms: int, series: int) -> tuple[np.ndarray, np.ndarray]:
    """Times (Unix ms) and values of one series in [start, end)."""
    times = np.arange(start_ms, end_ms, EVERY_MS, np.int64)
    at = times / EVERY_MS
    return times, np.round(40 + 3 * series + 20 * np.sin(at / 900) + np.sin(at * 12.9898 + series) * 43758.5453 % 1.0, 2)


# -- dashapp ---------------------------------------------------------------------------------------------------


async def load(url: str, start_ms: int, end_ms: int, *, lines: int = SERIES, scope: Scope = "read") -> str:
    """Write the samples of so many series and bring the rollups up to date, with dashapp's own parts; a token."""
    database = Database(url, size=4)
    await database.open()
    settings = Settings(_env_file=None, data_dir=Path("unused"))  # type: ignore[call-arg]
    keys = [series_key(METRIC, {"host": f"h{number}"}) for number in range(lines)]
    ids = await SeriesIds(database, 1000).resolve(keys)
    days = range(floor_to(start_ms, DAY), end_ms, DAY)
    await Partitions(database).ensure(days)
    async with database.connection() as connection:
        await connection.execute("UPDATE rollup_watermarks SET watermark = %s", (from_ms(floor_to(start_ms, DAY)),))
    for day in days:
        async with database.connection() as connection:
            await connection.execute("SET LOCAL statement_timeout = '120s'")
            for number, series in enumerate(ids[key] for key in keys):
                times, values = samples(max(day, start_ms), min(day + DAY, end_ms), number)
                await connection.execute(
                    "INSERT INTO metrics_raw (series_id, time, value) SELECT %s, * FROM unnest(%s::timestamptz[], %s::float8[])",
                    (series, times.astype("datetime64[ms]"), values),
                )
    jobs = StorageJobs(database, settings)
    while not await _caught_up(jobs, end_ms):
        await jobs.tick()
    await jobs.tick()
    await jobs.lease.release()
    accounts = Accounts(database)
    admin = await accounts.ensure_admin("admin@example.org", None)
    token = await accounts.create_token(admin, TokenRequest(name="benchmark", scope=scope))
    await database.close()
    return token.token


async def _caught_up(jobs: StorageJobs, end_ms: int) -> bool:
    status = await jobs.status()
    return status.watermarks["1min"] > end_ms - 5 * MINUTE


async def sizes(url: str) -> dict[str, tuple[int, float]]:
    """By relation: rows, and bytes a row with indexes."""
    database = Database(url, size=1)
    await database.open()
    found = {}
    async with database.connection() as connection:
        for relation in ("metrics_raw", "rollup_1min", "rollup_1hour"):
            cursor = await connection.execute(
                "SELECT sum(pg_total_relation_size(inhrelid))::float8 AS size FROM pg_inherits WHERE inhparent = %s::regclass",
                (relation,),
            )
            size = float(str((await cursor.fetchone() or {})["size"]))
            cursor = await connection.execute(f"SELECT count(*) AS n FROM {relation}")  # type: ignore[arg-type]  # noqa: S608
            rows = int(str((await cursor.fetchone() or {})["n"]))
            found[relation] = (rows, size / max(rows, 1))
    await database.close()
    return found


# -- VictoriaMetrics -------------------------------------------------------------------------------------------


@contextmanager
def victoria(directory: Path, start_ms: int, end_ms: int, *, lines: int = SERIES) -> Iterator[int]:
    """Its port, with the samples loaded."""
    port = debian.free_port()
    command = [
        debian.program("victoria-metrics", "victoria-metrics"), f"-storageDataPath={directory}",
        f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=12", "-search.latencyOffset=0s",
    ]  # fmt: skip
    with debian.child(command, lambda: debian.answers(port)):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for number in range(lines):
            for day in range(start_ms, end_ms, DAY):
                times, values = samples(day, min(day + DAY, end_ms), number)
                line = {
                    "metric": {"__name__": METRIC, "host": f"h{number}"},
                    "values": values.tolist(),
                    "timestamps": times.tolist(),
                }
                connection.request("POST", "/api/v1/import", json.dumps(line))
                connection.getresponse().read()
        connection.request("GET", "/internal/force_flush")
        connection.getresponse().read()
        connection.close()
        yield port


# -- asking ----------------------------------------------------------------------------------------------------


class Asker:
    """One kept connection, as a client that asks again and again has one."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def __call__(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
        return content


def timed(ask: Callable[[], object], runs: int) -> tuple[float, float]:
    """p50 and p95 in ms."""
    for _ in range(max(3, runs // 20)):
        ask()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


def dashapp_asks(asker: Asker, token: str, question: Question, end_ms: int, *, cached: bool) -> Callable[[], bytes]:
    end = floor_to(end_ms, question.step_ms)
    query = {
        "id": "q", "query": METRIC, "groupBy": ["host"], "step": question.step,
        "start": from_ms(end - question.span_ms).isoformat(), "end": from_ms(end).isoformat(),
    }  # fmt: skip
    body = json.dumps({"queries": [query]}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | (
        {} if cached else {"Cache-Control": "no-cache"}
    )
    return lambda: asker("POST", "/api/v1/query/batch", body, headers)


def victoria_asks(asker: Asker, question: Question, end_ms: int, *, cached: bool) -> Callable[[], bytes]:
    end = floor_to(end_ms, question.step_ms)
    # The value at t is of the window before t: buckets are named by their ends there.
    values = {
        "query": f"avg_over_time({METRIC}[{question.step}])", "start": (end - question.span_ms + question.step_ms) / 1000,
        "end": end / 1000, "step": question.step, "nocache": 0 if cached else 1,
    }  # fmt: skip
    path = f"/api/v1/query_range?{urlencode(values)}"
    return lambda: asker("GET", path, None, {})


def check(ours: bytes, theirs: bytes, question: Question) -> None:
    """Both answered with the same series and about as many points."""
    frame = json.loads(ours)["data"]["q"]
    peer = json.loads(theirs)["data"]["result"]
    points = question.span_ms // question.step_ms
    assert len(frame["series"]) == len(peer) == SERIES, (len(frame["series"]), len(peer))
    assert abs(len(frame["times"]) - points) <= 1, len(frame["times"])
    assert abs(len(peer[0]["values"]) - points) <= 1, len(peer[0]["values"])
    own = {series["tags"]["host"]: series["values"][-2] for series in frame["series"]}
    for series in peer:  # a window there holds the sample at its end, here the one at its start
        theirs = float(series["values"][-2][1])
        assert abs(own[series["metric"]["host"]] - theirs) < 2, (question.name, series["metric"], own, series["values"][-3:])


def run(days: int, runs: int) -> int:
    end_ms = floor_to(system_clock(), EVERY_MS)
    start_ms = end_ms - days * DAY
    with tempfile.TemporaryDirectory(prefix="dashapp-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        postgres = EmbeddedPostgres(directory / "dashapp")
        postgres.start()
        try:
            migrate(postgres.url)
            began = time.monotonic()
            token = asyncio.run(load(postgres.url, start_ms, end_ms))
            print(
                f"{SERIES} series every {EVERY_MS // 1000} s for {days} d, loaded and rolled up in {time.monotonic() - began:.0f} s"
            )
            for relation, (rows, size) in asyncio.run(sizes(postgres.url)).items():
                print(f"  {relation:<14} {rows:>9} rows  {size:5.0f} bytes a row")
            server = Dashapp(
                "serve", "--port", "0", "--data-dir", str(directory / "dashapp"), env={"DASHAPP_DATABASE_URL": postgres.url}
            )
            try:
                port = int(server.ready().url.rpartition(":")[2])
                with victoria(directory / "victoria", start_ms, end_ms) as peer:
                    compare(Asker(port), token, Asker(peer), end_ms, runs)
            finally:
                server.stop()
        finally:
            postgres.stop()
    return 0


def compare(ours: Asker, token: str, theirs: Asker, end_ms: int, runs: int) -> None:
    print(f"\np50 / p95 in ms of {runs} queries over one connection, load average {os.getloadavg()[0]:.1f}")
    print(f"  {'':<8} {'VictoriaMetrics':>19} {'its cache':>17} {'dashapp uncached':>19} {'ratio':>6} {'cached':>17} {'ratio':>6}")
    uncached = {}
    for question in QUESTIONS:
        check(
            dashapp_asks(ours, token, question, end_ms, cached=False)(),
            victoria_asks(theirs, question, end_ms, cached=False)(),
            question,
        )
        theirs_uncached = timed(victoria_asks(theirs, question, end_ms, cached=False), runs)
        theirs_cached = timed(victoria_asks(theirs, question, end_ms, cached=True), runs)
        ours_uncached = timed(dashapp_asks(ours, token, question, end_ms, cached=False), runs)
        ours_cached = timed(dashapp_asks(ours, token, question, end_ms, cached=True), runs)
        uncached[question.name] = ours_uncached[0]
        cells = [f"{p50:8.2f} /{p95:7.2f}" for p50, p95 in (theirs_uncached, theirs_cached, ours_uncached, ours_cached)]
        ratios = [f"{ours_uncached[0] / theirs_uncached[0]:6.2f}", f"{ours_cached[0] / theirs_uncached[0]:6.2f}"]
        print(f"  {question.name:<8} {cells[0]:>19} {cells[1]:>17} {cells[2]:>19} {ratios[0]} {cells[3]:>17} {ratios[1]}")
    print(f"  30 d / 1 h uncached: {uncached['30 d'] / uncached['1 h raw']:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="days of samples; raw ones are kept for 7")
    parser.add_argument("--runs", type=int, default=200, help="queries that count, of each kind")
    arguments = parser.parse_args()
    return run(arguments.days, arguments.runs)


if __name__ == "__main__":
    raise SystemExit(main())
