"""Two servers behind one address are restarted one after the other: no acknowledged point is lost, and viewers come back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.async_api import BrowserContext, expect

from tests.pages.conftest import Site, open_dashboard, sign_in
from tests.running import Dashapp


class Proxy:
    """Passes each connection to the first server that takes it, as a load balancer does that knows who is up."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.url = ""

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in self.ports:
            with suppress(OSError):
                inward, outward = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(self._pass(reader, outward), self._pass(inward, writer))
                return
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield self
        server.close()


async def _start(site: Site, directory: Path) -> Dashapp:
    environment = {"DASHAPP_DATABASE_URL": site.postgres.url, "DASHAPP_SECRET_KEY": "one key for both"}
    server = Dashapp("serve", "--port", "0", "--data-dir", str(directory), env=environment)
    return await asyncio.to_thread(server.ready)


class Sender:
    """Sends a point each few milliseconds and, like the agent, again until it is acknowledged."""

    def __init__(self, url: str, token: str) -> None:
        self.acknowledged: list[int] = []
        self._client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        self._first = time.time_ns() // 1_000_000 - 60_000
        self.stopping = False

    async def run(self) -> None:
        number = 0
        async with self._client:
            while not self.stopping:
                body = [{"name": "rolling.count", "value": 1.0, "timestamp": self._first + number * 10}]
                with suppress(httpx.HTTPError):
                    answer = await self._client.post("/api/v1/metrics", json=body)
                    assert answer.status_code in (200, 503), answer.text
                    if answer.status_code == 200:
                        self.acknowledged.append(number)
                        number += 1
                await asyncio.sleep(0.005)


@pytest.mark.timeout(240)
async def test_a_rolling_restart_loses_nothing(anonymous: BrowserContext, site: Site, tmp_path: Path) -> None:
    token = site.api.post("/api/v1/auth/tokens", json={"name": "rolling", "scope": "write"}).json()["data"]["token"]
    panel = {"title": "Count", "type": "stat", "query": "rolling.count", "position": {"x": 0, "y": 0, "w": 6, "h": 4}}
    board = site.create("Rolling", [panel])
    first, second = await asyncio.gather(_start(site, tmp_path), _start(site, tmp_path))
    ports = [int(server.url.rpartition(":")[2]) for server in (first, second)]
    async with Proxy().running() as proxy:
        proxy.ports = ports
        sender = Sender(proxy.url, token)
        sending = asyncio.create_task(sender.run())
        await sign_in(anonymous, proxy.url, "admin@example.org")
        page = await open_dashboard(anonymous, f"{proxy.url}/d/{board['id']}?from=now-30m&refresh=1s")
        for stopped in (first, second):
            await page.evaluate("window.before = true")
            count = len(sender.acknowledged)
            assert await asyncio.to_thread(stopped.stop, signal.SIGTERM) == 0, stopped.output
            if stopped is second:  # after a moment with nobody there, the next one: another process that serves this database
                ports.append(int(site.url.rpartition(":")[2]))
            await page.wait_for_function(
                "window.before === undefined && performance.getEntriesByName('dashapp-ready').length > 0", timeout=30_000
            )
            await expect(page.locator("[data-panel-id]")).to_have_attribute("data-state", "live")
            assert "from=now-30m" in page.url
            assert len(sender.acknowledged) > count
        sender.stopping = True
        await sending
        await page.close()
    query = {
        "query": "rolling.count", "aggregation": "count", "step": "1h",
        "start": datetime.fromtimestamp(time.time() - 86_400, UTC).isoformat(),
        "end": datetime.fromtimestamp(time.time() + 86_400, UTC).isoformat(),
    }  # fmt: skip
    answer = site.api.post("/api/v1/query", json=query, headers={"Cache-Control": "no-cache"}).json()
    assert sum(point["value"] for point in answer["data"]["data"]) == len(sender.acknowledged)
    assert len(sender.acknowledged) > 50
