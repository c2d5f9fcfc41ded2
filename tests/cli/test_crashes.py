"""Killed at any moment, dashapp and PostgreSQL keep every point that was acknowledged, and none counts twice."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from contextlib import suppress

import httpx
import psutil
import psycopg
import pytest

from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import TokenRequest
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.errors import StartupError
from tests.postgres import own_postgres
from tests.running import Dashapp, until

POINTS = 40
KILLS = [*["dashapp"] * 4, *["backend"] * 12, *["postgres"] * 4]


class Sender(threading.Thread):
    """Sends batch after batch, each again and again until it is acknowledged."""

    def __init__(self, url: str, token: str, host: str) -> None:
        super().__init__(daemon=True)
        self.url, self.token, self.host = url, token, host
        self.start_ms = time.time_ns() // 1_000_000 - 200_000
        #: Batches acknowledged, and how often one was sent again.
        self.acknowledged, self.repeated = 0, 0
        self.ending = threading.Event()

    def points(self, number: int) -> list[dict[str, object]]:
        return [
            {"name": "crash.test", "value": number, "timestamp": self.start_ms + number * POINTS + at, "tags": {"host": self.host}}
            for at in range(POINTS)
        ]

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        while not self.ending.is_set():
            with httpx.Client(base_url=self.url, headers=headers, timeout=10) as client, suppress(httpx.HTTPError):
                while not self.ending.is_set():
                    if client.post("/api/v1/metrics", json=self.points(self.acknowledged)).status_code == 200:
                        self.acknowledged += 1
                    else:
                        self.repeated += 1
                        self.ending.wait(0.05)
            self.repeated += 1
            self.ending.wait(0.05)


async def make_token(url: str) -> str:
    database = Database(url, size=1)
    await database.open()
    accounts = Accounts(database)
    user = await accounts.create_user("editor@example.org", None, "editor")
    token = await accounts.create_token(user, TokenRequest(name="x", scope="write"))
    await database.close()
    return token.token


def serve(postgres: EmbeddedPostgres, port: int) -> Dashapp:
    return Dashapp("serve", "--port", str(port), "--data-dir", str(postgres.data_dir), env={"DASHAPP_DATABASE_URL": postgres.url})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill(what: str, dashapp: Dashapp, postgres: EmbeddedPostgres, chance: random.Random) -> None:
    pid = postgres.pid
    assert pid is not None
    match what:
        case "dashapp":
            dashapp.process.kill()
            dashapp.process.wait()
        case "backend":  # PostgreSQL then ends all of them and recovers
            backends = [
                child for child in psutil.Process(pid).children() if "dashapp [" in _title(child) or "dashapp " in _title(child)
            ]
            chance.choice(backends or psutil.Process(pid).children()).kill()
        case "postgres":
            os.kill(pid, signal.SIGKILL)
            until(lambda: _revived(postgres), "PostgreSQL to run again")


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _revived(postgres: EmbeddedPostgres) -> bool:
    with suppress(StartupError):
        postgres.revive()
        return True
    return False


@pytest.mark.timeout(400)
async def test_acknowledged_points_survive_20_kills_and_none_counts_twice() -> None:
    chance = random.Random(20)
    order = chance.sample(KILLS, len(KILLS))
    with own_postgres() as postgres:
        migrate(postgres.url)
        token, port = await make_token(postgres.url), free_port()
        senders = [Sender(f"http://127.0.0.1:{port}", token, host) for host in "ab"]
        dashapp = serve(postgres, port)
        try:
            for sender in senders:
                sender.start()
            for what in order:
                until_sent(senders, chance.randrange(1, 6))
                kill(what, dashapp, postgres, chance)
                if what == "dashapp":
                    dashapp = serve(postgres, port)
            until_sent(senders, 1)
            for sender in senders:
                sender.ending.set()
                sender.join()
            assert sum(sender.repeated for sender in senders) >= len(KILLS)
            sent = {
                (sender.host, number * POINTS + at): float(number)
                for sender in senders for number in range(sender.acknowledged) for at in range(POINTS)
            }  # fmt: skip
            check_rows(postgres, senders, sent)
        finally:
            for sender in senders:
                sender.ending.set()
            dashapp.process.kill()
            dashapp.process.wait()


def until_sent(senders: list[Sender], batches: int) -> None:
    """Wait until each has sent so many more."""
    goals = [(sender, sender.acknowledged + batches) for sender in senders]
    until(lambda: all(sender.acknowledged >= goal for sender, goal in goals), "acknowledged batches", 120)


def check_rows(postgres: EmbeddedPostgres, senders: list[Sender], sent: dict[tuple[str, int], float]) -> None:
    starts = {sender.host: sender.start_ms for sender in senders}
    with psycopg.connect(postgres.url) as connection:
        rows = connection.execute(
            "SELECT s.tags ->> 'host', (extract(epoch FROM r.time) * 1000)::bigint, r.value FROM metrics_raw r "
            "JOIN series s ON s.id = r.series_id"
        ).fetchall()
    found = {(host, time_ms - starts[host]): value for host, time_ms, value in rows}
    assert len(found) == len(rows)
    assert {key: found.get(key) for key in sent} == sent
    # A batch that was under way at the end may be there whole, or not at all.
    ends = {sender.host: sender.acknowledged for sender in senders}
    rest = [(host, at) for host, at in found if (host, at) not in sent]
    assert all(at // POINTS == ends[host] for host, at in rest)
    assert all(sum(host == other for host, _ in rest) in (0, POINTS) for other in ends)
