"""Two real servers on one database: the one that judges is killed amid a delivery; the other judges on within 20 s and
delivers, with the same id."""

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


async def _leads(server: Dashapp) -> bool:
    async with httpx.AsyncClient(timeout=30) as client:
        return "dashapp_alert_leading 1.0" in (await client.get(f"{server.url}/metrics")).text


async def _leader_first(one: Dashapp, other: Dashapp) -> tuple[Dashapp, Dashapp] | None:
    return (one, other) if await _leads(one) else (other, one) if await _leads(other) else None


async def _last_tick(database: Database) -> object:
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT last_tick FROM alert_clock")).fetchone()
    return row and row["last_tick"]


async def _next_tick(database: Database, last: object) -> float:
    """The monotonic time at which a tick after `last` is judged."""

    async def judged() -> bool:
        return await _last_tick(database) != last

    await until(judged, "the next tick")
    return time.monotonic()


async def test_a_killed_server_is_followed_by_the_next(database: Database, database_url: str, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {await _token(database)}"}
    environment = {
        "DASHAPP_DATABASE_URL": database_url, "DASHAPP_ALERT_INTERVAL": "1s", "DASHAPP_WEBHOOK_ALLOW_PRIVATE": "true",
    }  # fmt: skip

    def serve() -> Dashapp:
        return Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()

    servers = await asyncio.gather(asyncio.to_thread(serve), asyncio.to_thread(serve))
    try:
        first, second = await until(lambda: _leader_first(*servers), "one of them to judge")
        async with http_receiver() as receiver, httpx.AsyncClient(headers=headers, timeout=30) as client:
            receiver.answer = "hang"
            rule = {
                "name": "Hot", "query": "heat", "condition": "gt", "threshold": 10, "step": "1s",
                "notification": {"type": "webhook", "target": receiver.url},
            }  # fmt: skip
            answer = await client.post(f"{second.url}/api/v1/alerts", json=rule)
            assert answer.status_code == 201, answer.text
            await client.post(f"{second.url}/api/v1/metrics", json=[{"name": "heat", "value": 11}])
            await until(lambda: receiver.seen, "the first attempt")
            first.process.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            await asyncio.to_thread(first.process.wait, 10)
            last = await _last_tick(database)
            receiver.answer = 200
            with psycopg.connect(database_url, autocommit=True) as connection:  # so that its claim needn't run out first
                connection.execute(
                    "UPDATE alert_deliveries SET claimed_until = NULL, next_attempt_at = now() WHERE state = 'pending'"
                )
            judged = asyncio.create_task(_next_tick(database, last))
            await until(lambda: receiver.got, "the delivery by the other server")
            assert receiver.got[0].headers["webhook-id"] == receiver.seen[0].headers["webhook-id"]
            await client.post(f"{second.url}/api/v1/metrics", json=[{"name": "heat", "value": 1}])
            # 15 s of the lease and a tick.
            assert await judged - killed < 20
            assert await _leads(second)
            await until(lambda: len(receiver.got) > 1, "the resolved")
            assert [got.status for got in receiver.got] == ["firing", "resolved"]
    finally:
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers if server.process.poll() is None))
