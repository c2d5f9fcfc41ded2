"""A million points to a DataFrame and back, beside VictoriaMetrics' export of the same samples read by pandas.

``python -m benchmarks.client [--runs 5]``; see docs/benchmarks.md.
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
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd

import dashapp
from benchmarks import query
from dashapp.contract.timerange import from_ms
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.metrics.clock import MINUTE, floor_to, system_clock
from tests.running import Dashapp

POINTS = 1_000_000
LINES = 20
"""Series: their samples lie within what raw retention keeps."""
ROWS = POINTS // LINES
PUSHED = 100_000


def _seconds(ask: Callable[[], object], runs: int) -> float:
    ask()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _exported(port: int, start_ms: int, end_ms: int) -> pd.DataFrame:
    """The same table from VictoriaMetrics: a line of JSON a series."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    values = {"match[]": query.METRIC, "start": start_ms / 1000, "end": (end_ms - 1) / 1000}
    connection.request("GET", f"/api/v1/export?{urlencode(values)}")
    lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    columns = {line["metric"]["host"]: pd.Series(line["values"], pd.to_datetime(line["timestamps"], unit="ms")) for line in lines}
    return pd.DataFrame(columns)


def compare(url: str, token: str, peer: int, end_ms: int, runs: int) -> None:
    start_ms = end_ms - ROWS * query.EVERY_MS
    start, end = from_ms(start_ms), from_ms(end_ms)
    with dashapp.connect(url, token) as client:

        def ask() -> pd.DataFrame:
            return client.query(query.METRIC, start=start, end=end, by="host", step="10s", fresh=True)

        ours, theirs = ask(), _exported(peer, start_ms, end_ms)
        assert ours.shape == theirs.shape == (ROWS, LINES), (ours.shape, theirs.shape)
        assert (ours.to_numpy() == theirs[ours.columns].to_numpy()).all()
        taken, floor = _seconds(ask, runs), _seconds(lambda: _exported(peer, start_ms, end_ms), runs)
        print(f"\n{POINTS} points as a DataFrame, median of {runs}, load average {os.getloadavg()[0]:.1f}")
        print(f"  dashapp {taken:.2f} s, VictoriaMetrics' export {floor:.2f} s, ratio {taken / floor:.2f}")

        table = ours.tail(PUSHED // LINES)
        table.index += timedelta(milliseconds=floor_to(end_ms - 2 * MINUTE, 1000) - end_ms)
        taken = _seconds(lambda: client.push(table, name="bench_pushed"), runs)
        print(f"  {table.size} points pushed in {taken:.2f} s, {table.size / taken / 1000:.0f} k points/s")


def run(runs: int) -> int:
    end_ms = floor_to(system_clock(), query.EVERY_MS)
    start_ms = end_ms - ROWS * query.EVERY_MS
    with tempfile.TemporaryDirectory(prefix="dashapp-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        postgres = EmbeddedPostgres(directory / "dashapp")
        postgres.start()
        environment = {"DASHAPP_DATABASE_URL": postgres.url}
        try:
            migrate(postgres.url)
            token = asyncio.run(query.load(postgres.url, start_ms, end_ms, lines=LINES, scope="write"))
            server = Dashapp("serve", "--port", "0", "--data-dir", str(directory / "dashapp"), env=environment)
            try:
                url = server.ready().url
                with query.victoria(directory / "victoria", start_ms, end_ms, lines=LINES) as peer:
                    compare(url, token, peer, end_ms, runs)
            finally:
                server.stop()
        finally:
            postgres.stop()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="repetitions that count")
    return run(parser.parse_args().runs)


if __name__ == "__main__":
    raise SystemExit(main())
