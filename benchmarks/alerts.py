"""10 000 alert rules judged within one tick, and a backtest over a week: ``python -m benchmarks.alerts``.

Needs nothing but dashapp: an embedded PostgreSQL in a temporary directory, 10 000 rules on 10 000 series, ticks one after the
other on a clock of its own. Prints the median time of a steady tick, of one at which everything changes, and of the backtest.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from dashapp.alerts.backtest import backtest
from dashapp.alerts.evaluator import Evaluator
from dashapp.alerts.rules import Rules
from dashapp.alerts.ticks import Ticks
from dashapp.contract.alerts import BacktestRequest, RuleDefinition
from dashapp.contract.metrics import Point
from dashapp.contract.timerange import from_ms
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.query import Reader
from dashapp.settings import Settings

RULES, TICK, DAY = 10_000, 10_000, 86_400_000


class _Clock:
    now_ms = int(time.time() * 1000) // TICK * TICK

    def __call__(self) -> int:
        return self.now_ms


async def _points(ingest: Ingest, value: float, at: int) -> None:
    async def part(start: int) -> None:
        await ingest.write(
            [
                Point(name=f"bench.m{n % 20}", value=value + n % 7, tags={"host": f"h{n // 20}", "dc": "a"}, timestamp=at)
                for n in range(start, start + 1000)
            ]
        )

    await asyncio.gather(*(part(start) for start in range(0, RULES, 1000)))


async def _run(url: str) -> None:
    clock, database = _Clock(), Database(url)
    settings = Settings(_env_file=None, data_dir=Path("unused"))  # type: ignore[call-arg]
    reader, ticks, ingest = (
        Reader(database, settings, clock=clock), Ticks(database, settings, clock=clock), Ingest(database, settings, clock=clock),
    )  # fmt: skip
    await database.open()
    await ingest.start()
    rules, evaluator = Rules(database, reader, ticks), Evaluator(database, reader, ticks)
    async with database.connection() as connection:
        for n in range(RULES):
            rule = RuleDefinition(
                name=f"r{n}", query=f"bench.m{n % 20}", tags={"host": f"h{n // 20}"}, condition="gt", threshold=90, duration=20_000
            )
            await rules._add(connection, None, rule)
    for back in range(30):
        await _points(ingest, 50, clock.now_ms - back * TICK)
    async with database.connection() as connection:
        await connection.execute("ANALYZE")
    taken: dict[str, list[float]] = {"first": [], "steady": [], "all change": []}
    for number in range(14):
        clock.now_ms += TICK
        await _points(ingest, 50 if number < 7 else 100, clock.now_ms - 2 * TICK)
        began = time.perf_counter()
        await evaluator.tick()
        taken["first" if number == 0 else "steady" if number < 7 else "all change"].append(time.perf_counter() - began)
    for name, seconds in taken.items():
        print(f"tick of {RULES} rules, {name:<11} median {statistics.median(seconds):6.2f} s   worst {max(seconds):6.2f} s")
    print(f"failing rules {evaluator.figures.failing}, late ticks {evaluator.figures.late}")
    await _backtest(database, ingest, reader, ticks, clock)
    await ingest.stop()
    await database.close()


async def _backtest(database: Database, ingest: Ingest, reader: Reader, ticks: Ticks, clock: _Clock) -> None:
    times = np.arange(clock.now_ms - 7 * DAY + TICK, clock.now_ms, TICK)
    await ingest.write([Point(name="bench.week", value=1.0, timestamp=clock.now_ms)])
    await ingest.partitions.ensure(sorted({int(ms) // DAY * DAY for ms in times.tolist()}))
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO metrics_raw SELECT t, (SELECT max(id) FROM series), v"
            " FROM unnest(%s::timestamptz[], %s::float8[]) AS x (t, v)",
            (times.astype("datetime64[ms]"), 5 + 6 * np.sin(times / 3_600_000)),
        )
    rule = RuleDefinition(name="week", query="bench.week", condition="gt", threshold=10, duration=300_000)
    request = BacktestRequest(rule=rule, start=from_ms(clock.now_ms - 7 * DAY), end=from_ms(clock.now_ms))
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        answer = await backtest(reader, ticks, request)
        taken.append(time.perf_counter() - began)
    print(f"backtest of 7 days, one series   median {statistics.median(taken):6.2f} s   ({answer.summary})")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dashapp-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory), {"fsync": "off"})
        server.start()
        try:
            migrate(server.url)
            asyncio.run(_run(server.url))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
