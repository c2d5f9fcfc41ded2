"""The real agent against the real server: nothing is lost while the server is away, and poison doesn't stop the rest."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx

from dashapp.accounts.accounts import Accounts
from dashapp.agent.sender import Sender
from dashapp.agent.spool import Spool
from dashapp.contract.accounts import TokenRequest
from dashapp.contract.timerange import from_ms
from dashapp.database.pool import Database
from dashapp.live.hub import now_ms
from tests.running import Dashapp, Running, until


async def _token(url: str, scope: str) -> str:
    database = Database(url, size=1)
    await database.open()
    accounts = Accounts(database)
    admin = await accounts.ensure_admin("admin@example.org", None)
    token = await accounts.create_token(admin, TokenRequest(name="test", scope=scope))  # type: ignore[arg-type]
    await database.close()
    return token.token


def _seconds(server: Dashapp, token: str) -> list[int]:
    """The seconds that hold a sample of the agent, as Unix ms."""
    now = now_ms()
    item = {"id": "a", "query": "process.count", "aggregation": "count", "step": "1s"}
    body = {"queries": [{**item, "start": _iso(now - 600_000), "end": _iso(now + 60_000)}]}
    headers = {"Authorization": f"Bearer {token}", "Cache-Control": "no-cache"}
    answer = httpx.post(f"{server.url}/api/v1/query/batch", json=body, headers=headers, timeout=30)
    data = answer.json()["data"]["a"]
    assert all(value == 1 for series in data["series"] for value in series["values"]), data
    return [int(time) for time in data["times"]]


def _iso(ms: int) -> str:
    return from_ms(ms).isoformat()


async def test_nothing_is_lost_while_the_server_is_killed_and_restarted(database_url: str, tmp_path: Path) -> None:
    token, reading = await _token(database_url, "ingest"), await _token(database_url, "read")
    environment = {"DASHAPP_DATABASE_URL": database_url}
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()
    port = server.url.rsplit(":", 1)[1]
    agent = Running(
        "agent", "--url", server.url, "--interval", "1s", "--spool", str(tmp_path / "spool"), env={"DASHAPP_AGENT_TOKEN": token}
    )
    try:
        until(lambda: len(_seconds(server, reading)) >= 2, "the first samples")
        server.stop(signal.SIGKILL)
        away = now_ms()
        until(lambda: now_ms() - away > 4000, "a few samples to pile up")
        server = Dashapp("serve", "--port", port, "--data-dir", str(tmp_path), env=environment).ready()
        back = now_ms()
        until(lambda: max(_seconds(server, reading)) > back + 2000, "samples from after the restart")
        seconds = _seconds(server, reading)
        assert seconds == list(range(seconds[0], seconds[-1] + 1000, 1000))
        assert any(away < second < back for second in seconds)
    finally:
        agent.stop(signal.SIGTERM)
        server.stop()


async def test_points_that_the_server_refuses_are_dropped_by_name_and_the_rest_arrives(database_url: str, tmp_path: Path) -> None:
    token, reading = await _token(database_url, "ingest"), await _token(database_url, "read")
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env={"DASHAPP_DATABASE_URL": database_url}).ready()
    now = now_ms()
    try:
        with Spool(tmp_path / "spool") as spool:
            good = [
                {"name": "process.count", "value": 1, "tags": {}, "timestamp": (now // 1000 - 60 + index) * 1000}
                for index in range(50)
            ]
            bad = [
                {"name": "no spaces allowed", "value": 1, "tags": {}, "timestamp": now},
                {"name": "far.future", "value": 1, "tags": {}, "timestamp": now + 86_400_000},
                {"name": "too.long", "value": 1, "tags": {"tag": "x" * 300}, "timestamp": now},
            ]
            spool.append(json.loads(json.dumps([*good[:20], *bad, *good[20:]])))
            sender = Sender(spool, server.url, token)
            async with asyncio.timeout(20):
                assert await sender.flush()
            await sender.close()
            assert spool.waiting == 0
        assert len(_seconds(server, reading)) == 50
    finally:
        server.stop()
