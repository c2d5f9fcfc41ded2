"""Two real servers on one database: one is killed amid a delivery; the other judges on and delivers, with the same id."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx
import psycopg

from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import TokenRequest
from dashapp.database.pool import Database
from tests.alerts.receivers import http_receiver, until
from tests.running import Dashapp


async def _token(database: Database) -> str:
    accounts = Accounts(database)
    admin = await accounts.ensure_admin("admin@example.org", None)
    return (await accounts.create_token(admin, TokenRequest(name="test", scope="write"))).token


async def test_a_killed_server_is_followed_by_the_next(database: Database, database_url: str, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {await _token(database)}"}
    environment = {
        "DASHAPP_DATABASE_URL": database_url, "DASHAPP_ALERT_INTERVAL": "1s", "DASHAPP_WEBHOOK_ALLOW_PRIVATE": "true",
    }  # fmt: skip

    def serve() -> Dashapp:
        return Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()

    first = await asyncio.to_thread(serve)
    second = await asyncio.to_thread(serve)
    try:
        async with http_receiver() as receiver, httpx.AsyncClient(headers=headers, timeout=30) as client:
            receiver.answer = "hang"
            rule = {
                "name": "Hot", "query": "heat", "condition": "gt", "threshold": 10, "step": "1s",
                "notification": {"type": "webhook", "target": receiver.url},
            }  # fmt: skip
            answer = await client.post(f"{second.url}/api/v1/alerts", json=rule)
            assert answer.status_code == 201, answer.text
            await client.post(f"{second.url}/api/v1/metrics", json=[{"name": "heat", "value": 11}])
            await until(lambda: receiver.seen, "the first attempt", 30)
            first.process.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            receiver.answer = 200
            with psycopg.connect(database_url, autocommit=True) as connection:  # so that its claim needn't run out first
                connection.execute(
                    "UPDATE alert_deliveries SET claimed_until = NULL, next_attempt_at = now() WHERE state = 'pending'"
                )
            await until(lambda: receiver.got, "the delivery by the other server", 45)
            assert receiver.got[0].headers["webhook-id"] == receiver.seen[0].headers["webhook-id"]
            await client.post(f"{second.url}/api/v1/metrics", json=[{"name": "heat", "value": 1}])
            await until(lambda: len(receiver.got) > 1, "the other server to judge", 45)
            # 15 s of the lease, a tick, 5 s until a bucket is settled, and the delivery.
            assert time.monotonic() - killed < 40
            assert [got.status for got in receiver.got] == ["firing", "resolved"]
    finally:
        for server in (first, second):
            if server.process.poll() is None:
                await asyncio.to_thread(server.stop)
