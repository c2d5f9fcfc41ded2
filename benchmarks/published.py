"""A public link with one viewer and with a thousand: what the server, the database and the viewers notice.

``python -m benchmarks.published [--viewers 1000] [--seconds 40]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field

import httpx
import orjson
import psycopg

from benchmarks.page import Site, dashapp_site
from dashapp.pages.published import REFRESH_S


@dataclass
class Cost:
    viewers: int
    seconds: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    transactions: int = 0
    sent_bytes: int = 0
    failed: int = 0
    waits_s: list[float] = field(default_factory=list)


def _transactions(url: str) -> int:
    """Committed so far by all; of a second ago, as PostgreSQL counts."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute("SELECT sum(xact_commit)::bigint FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return int(row[0]) if row else 0


async def _viewer(client: httpx.AsyncClient, path: str, until: float, cost: Cost) -> None:
    """As the page does: the whole first, then what changed, each refresh."""
    asked: dict[str, int] = {}
    await asyncio.sleep(random.uniform(0, REFRESH_S))
    while time.monotonic() < until:
        started = time.perf_counter()
        try:
            answer = await client.get(f"{path}/board", params=asked)
            answer.raise_for_status()
            told = orjson.loads(answer.content)
            asked = {"board": told["board"], "at": told["at"]}
            cost.sent_bytes += len(answer.content)
            cost.waits_s.append(time.perf_counter() - started)
        except httpx.HTTPError:
            cost.failed += 1
        await asyncio.sleep(REFRESH_S * random.uniform(0.9, 1.1))


async def measure(site: Site, database_url: str, path: str, viewers: int, seconds: float) -> Cost:
    cost = Cost(viewers)
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=site.server.url, timeout=60, limits=limits) as client:
        await client.get(f"{path}/board")
        until = time.monotonic() + seconds
        crowd = [asyncio.create_task(_viewer(client, path, until, cost)) for _ in range(viewers)]
        # Once all have the picture.
        await asyncio.sleep(REFRESH_S + 2)
        cost.sent_bytes, cost.waits_s[:] = 0, []
        before, cpu, commits = time.monotonic(), site.cpu_s(), _transactions(database_url)
        await asyncio.sleep(until - time.monotonic())
        cost.seconds, cost.cpu_s = time.monotonic() - before, site.cpu_s() - cpu
        cost.transactions, cost.memory_mb = _transactions(database_url) - commits, site.memory_mb()
        await asyncio.gather(*crowd)
    return cost


def _row(cost: Cost) -> str:
    ticks = cost.seconds / REFRESH_S
    p95 = statistics.quantiles(cost.waits_s, n=20)[-1] if len(cost.waits_s) > 1 else cost.waits_s[0]
    return (
        f"| {cost.viewers} | {len(cost.waits_s) / cost.seconds:.1f} | {100 * cost.cpu_s / cost.seconds:.1f} %"
        f" | {cost.transactions / ticks:.0f} | {cost.sent_bytes / len(cost.waits_s) / 1000:.1f} kB"
        f" | {1000 * statistics.median(cost.waits_s):.1f} / {1000 * p95:.1f} ms | {cost.memory_mb:.0f} MB | {cost.failed} |"
    )


async def main(viewers: int, seconds: float) -> None:
    async with dashapp_site() as site:
        answer = site.api.post(f"/api/v1/dashboards/{site.path.removeprefix('/d/')}/publish")
        path = answer.json()["data"]["path"]
        print("| viewers | answers/s | CPU of one core | transactions a tick | an answer | median / p95 | memory | failed |")
        print("|---|---|---|---|---|---|---|---|")
        for crowd in (1, viewers):
            print(_row(await measure(site, site.postgres.url, path, crowd, seconds)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=52.0)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.viewers, arguments.seconds))
