"""A public link with one viewer and with a thousand: what the server, the database and the viewers notice.

``python -m benchmarks.published [--viewers 1000] [--seconds 40]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import resource
import statistics
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

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
        row = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return int(row[0]) if row else 0


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    """One answer over a kept connection. A thousand of a library's clients would be what is measured."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = await reader.readexactly(int(re.findall(r"content-length: (\d+)", head)[0]))
    if not head.startswith("HTTP/1.1 200"):
        raise ValueError(head.splitlines()[0])
    return body


async def _viewer(address: tuple[str, int], path: str, until: float, cost: Cost) -> None:
    """As the page does: the whole first, then what changed, each refresh."""
    asked = ""
    await asyncio.sleep(random.uniform(0, REFRESH_S))
    reader, writer = await asyncio.open_connection(*address, limit=2**20)
    while time.monotonic() < until:
        started = time.perf_counter()
        try:
            body = await _get(reader, writer, f"{path}/board{asked}")
        except (OSError, EOFError, ValueError):
            cost.failed += 1
            break
        cost.waits_s.append(time.perf_counter() - started)
        cost.sent_bytes += len(body)
        told = orjson.loads(body)
        asked = f"?board={told['board']}&at={told['at']}"
        await asyncio.sleep(REFRESH_S * random.uniform(0.9, 1.1))
    writer.close()


async def measure(site: Site, path: str, viewers: int, seconds: float) -> Cost:
    cost, url = Cost(viewers), urlsplit(site.server.url)
    site.api.get(f"{path}/board")
    until = time.monotonic() + seconds
    crowd = [asyncio.create_task(_viewer((str(url.hostname), int(url.port or 80)), path, until, cost)) for _ in range(viewers)]
    # Once all have the picture.
    await asyncio.sleep(REFRESH_S * 1.5)
    cost.sent_bytes, cost.waits_s[:] = 0, []
    before, cpu, commits = time.monotonic(), site.cpu_s(), _transactions(site.postgres.url)
    await asyncio.sleep(until - time.monotonic())
    cost.seconds, cost.cpu_s = time.monotonic() - before, site.cpu_s() - cpu
    cost.transactions, cost.memory_mb = _transactions(site.postgres.url) - commits, site.memory_mb()
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
    # A socket a viewer, here and in the server, which inherits it.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with dashapp_site() as site:
        answer = site.api.post(f"/api/v1/dashboards/{site.path.removeprefix('/d/')}/publish")
        path = answer.json()["data"]["path"]
        print("| viewers | answers/s | CPU of one core | transactions a tick | an answer | median / p95 | memory | failed |")
        print("|---|---|---|---|---|---|---|---|")
        for crowd in (1, viewers):
            print(_row(await measure(site, path, crowd, seconds)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=52.0)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.viewers, arguments.seconds))
