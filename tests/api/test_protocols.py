"""Remote write and line protocol over HTTP: what is valid is stored, the rest is told of once and for all."""

from __future__ import annotations

import base64
import gzip
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from dashapp.api.body import LIMIT
from dashapp.contract.timerange import from_ms
from dashapp.metrics import ingest
from dashapp.services import Services
from tests.api.conftest import World, failed
from tests.protocols.sender import compressed, message, packed

NOW = time.time_ns() // 1_000_000
DAY = 86_400_000
GZIP = {"Content-Encoding": "gzip"}


async def stored(services: Services) -> list[tuple[str, float]]:
    async with services.database.connection() as connection:
        cursor = await connection.execute(
            "SELECT m.name, r.value FROM metrics_raw r JOIN series s ON s.id = r.series_id JOIN metrics m ON m.id = s.metric_id "
            "ORDER BY m.name, r.time, r.value"
        )
        return [(str(row["name"]), float(str(row["value"]))) for row in await cursor.fetchall()]


class TestRemoteWrite:
    async def test_samples_are_there_after_the_answer_and_again_replaces(self, world: World) -> None:
        program = await world.program("prometheus", "editor", "ingest")
        body = packed(
            message(({"__name__": "up", "job": "a"}, [(NOW, 1.0), (NOW - 15_000, 0.0)]), ({"__name__": "down"}, [(NOW, 2.0)]))
        )
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        for _ in range(2):
            answer = await program.post("/write", content=body, headers=headers)
            assert (answer.status_code, answer.content) == (204, b"")
            assert await stored(world.services) == [("down", 2.0), ("up", 0.0), ("up", 1.0)]

    async def test_what_is_invalid_is_left_out_counted_and_told(self, world: World) -> None:
        program = await world.program("prometheus", "editor", "ingest")
        body = packed(message(
            ({"__name__": "good"}, [(NOW, 1.0), (NOW - 8 * DAY, 2.0), (NOW + 2 * 3_600_000, 3.0), (0, 4.0), (NOW, float("nan"))]),
            ({"__name__": "bad-name"}, [(NOW, 1.0)]),
        ))  # fmt: skip
        answer = await program.post("/write", content=body)
        details = failed(answer, 400, "VALIDATION_ERROR")
        assert set(details) == {"name", "too_old", "too_far_ahead"}
        assert details["too_old"].startswith("2 left out")
        assert "bad-name" in answer.json()["error"]
        assert await stored(world.services) == [("good", 1.0)]
        counted = {("remote_write", "name"): 1, ("remote_write", "too_old"): 2, ("remote_write", "too_far_ahead"): 1}
        assert world.services.ingest.left_out == counted

    async def test_more_samples_than_a_batch_of_points_has(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ingest, "ROWS_A_STATEMENT", 700)
        program = await world.program("prometheus", "editor", "ingest")
        body = message(*(({"__name__": "m", "n": str(n)}, [(NOW + at, 1.0) for at in range(100)]) for n in range(25)))
        assert (await program.post("/write", content=packed(body))).status_code == 204
        assert len(await stored(world.services)) == 2500

    async def test_points_older_than_the_stored_horizon_are_left_out(self, world: World) -> None:
        async with world.services.database.connection() as connection:
            await connection.execute("UPDATE retention_horizons SET horizon = %s WHERE level = 'raw'", (from_ms(NOW - 60_000),))
        program = await world.program("prometheus", "editor", "ingest")
        body = packed(message(({"__name__": "m"}, [(NOW, 1.0), (NOW - 120_000, 1.0)])))
        assert set(failed(await program.post("/write", content=body), 400, "VALIDATION_ERROR")) == {"too_old"}
        assert await stored(world.services) == [("m", 1.0)]

    async def test_at_the_limit_of_series_known_ones_go_on(self, world: World) -> None:
        program = await world.program("prometheus", "editor", "ingest")
        for name, value in (("a", 1.0), ("b", 2.0)):
            assert (await program.post("/write", content=packed(message(({"__name__": name}, [(NOW, value)]))))).status_code == 204
        world.services.ingest.series.max_series = 2
        body = packed(message(({"__name__": "c"}, [(NOW, 1.0)] * 3), ({"__name__": "a"}, [(NOW, 5.0)])))
        details = failed(await program.post("/write", content=body), 400, "VALIDATION_ERROR")
        assert details["series_limit"].startswith("3 left out")
        assert await stored(world.services) == [("a", 5.0), ("b", 2.0)]
        # Points of one's own are all or nothing, and the metric that is too much is named.
        points = [{"name": name, "value": 6} for name in "ac"]
        answer = await program.post("/metrics", json=points)
        failed(answer, 429, "RATE_LIMITED")
        assert answer.json()["error"].startswith("c would make a new series")
        assert int(answer.headers["Retry-After"]) > 0
        assert await stored(world.services) == [("a", 5.0), ("b", 2.0)]

    async def test_metadata_describes_what_is_there(self, world: World) -> None:
        program = await world.program("prometheus", "editor", "ingest")
        editor = await world.person("editor", "editor")
        request = message(({"__name__": "http_requests_total"}, [(NOW, 1.0)]))
        request.metadata.add(type=1, family=b"http_requests_total", help=b"Requests.", unit=b"requests")
        request.metadata.add(type=1, family=b"not_sent", help=b"x")
        for _ in range(2):
            assert (await program.post("/write", content=packed(request))).status_code == 204
        told = {"name": "http_requests_total", "type": "counter", "unit": "requests", "description": "Requests."}
        assert (await editor.get("/metrics")).json()["data"] == [told]
        # What a person says, stays.
        await editor.put("/metrics/http_requests_total", json={"description": "Ours."})
        await program.post("/write", content=packed(request))
        assert (await editor.get("/metrics")).json()["data"] == [{**told, "description": "Ours."}]

    @pytest.mark.parametrize("body", [b"", b"x", b"\xff" * 50, compressed(b"\xff" * 50)])
    async def test_no_message(self, refused: httpx.AsyncClient, body: bytes) -> None:
        assert set(failed(await refused.post("/write", content=body), 400, "VALIDATION_ERROR")) == {"body"}

    async def test_version_2_is_told_apart(self, refused: httpx.AsyncClient) -> None:
        kind = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
        details = failed(await refused.post("/write", content=packed(message()), headers=kind), 400, "VALIDATION_ERROR")
        assert set(details) == {"Content-Type"}

    async def test_too_large(self, refused: httpx.AsyncClient) -> None:
        failed(await refused.post("/write", content=b"x" * (LIMIT + 1)), 413, "PAYLOAD_TOO_LARGE")
        failed(await refused.post("/write", content=compressed(bytes(20 * 1024 * 1024))), 413, "PAYLOAD_TOO_LARGE")


class TestInflux:
    async def test_telegraf_sends_it_packed(self, world: World) -> None:
        token = (await world.program("telegraf", "editor", "ingest")).headers["Authorization"].split()[1]
        lines = "".join(f'cpu,cpu=cpu{n} usage_idle={n}.5,state="on" {NOW * 1_000_000}\n' for n in range(3))
        client = await world._client(headers={"Authorization": f"Token {token}", "User-Agent": "Telegraf/1.30"})
        address = "/influx/api/v2/write?org=x&bucket=y&precision=ns"
        answer = await client.post(address, content=gzip.compress(lines.encode()), headers=GZIP)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await stored(world.services) == [("cpu.usage_idle", 0.5), ("cpu.usage_idle", 1.5), ("cpu.usage_idle", 2.5)]
        answer = await client.post("/influx/write?db=x&precision=s", content=f"mem used=1i {NOW // 1000}\n".encode())
        assert answer.status_code == 204
        assert ("mem.used", 1.0) in await stored(world.services)

    async def test_a_bad_line_costs_only_itself(self, world: World) -> None:
        program = await world.program("telegraf", "editor", "ingest")
        body = f"a f=1,g=2\nnonsense\nb f=1 {(NOW - 9 * DAY) * 1_000_000}\nc-c f=1\n"
        details = failed(await program.post("/influx/write", content=body.encode()), 400, "VALIDATION_ERROR")
        assert set(details) == {"syntax", "too_old", "name"}
        assert await stored(world.services) == [("a.f", 1.0), ("a.g", 2.0)]
        assert world.services.ingest.left_out.total() == 3

    async def test_an_empty_body_is_nothing_to_store(self, refused: httpx.AsyncClient) -> None:
        assert (await refused.post("/influx/write", content=b"\n# nothing\n")).status_code == 204

    async def test_an_unknown_precision(self, refused: httpx.AsyncClient) -> None:
        assert set(failed(await refused.post("/influx/write?precision=d", content=b""), 400, "VALIDATION_ERROR")) == {"precision"}


@pytest.mark.parametrize("path", ["/write", "/influx/write", "/influx/api/v2/write"])
class TestBoth:
    @pytest.mark.parametrize(("role", "scope", "status"), [
        ("viewer", "ingest", 403), ("editor", "read", 403), ("editor", "ingest", 400), ("editor", "write", 400),
    ])  # fmt: skip
    async def test_who_may(self, world: World, path: str, role: Any, scope: Any, status: int) -> None:
        program = await world.program("x", role, scope)
        assert (await program.post(path, content=b"nonsense")).status_code == status

    async def test_strangers(self, client: httpx.AsyncClient, path: str) -> None:
        failed(await client.post(path, content=b"x" * (LIMIT + 1)), 401, "UNAUTHORIZED")
        for scheme in ("Token nonsense", "Basic", "Basic nonsense", "Basic " + base64.b64encode(b"user:no").decode(), "Digest x"):
            failed(await client.post(path, content=b"x", headers={"Authorization": scheme}), 401, "UNAUTHORIZED")

    async def test_basic_carries_a_token_as_password(self, world: World, path: str) -> None:
        token = (await world.program("x", "editor", "ingest")).headers["Authorization"].split()[1]
        basic = "Basic " + base64.b64encode(f"anyone:{token}".encode()).decode()
        client = await world._client(headers={"Authorization": basic})
        assert (await client.post(path, content=b"nonsense")).status_code == 400
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        failed(await client.post(path, content=b"nonsense", headers=foreign), 403, "FORBIDDEN")


@pytest.mark.parametrize("path", ["/metrics", "/write", "/influx/write"])
async def test_when_too_much_waits_senders_come_back_later(world: World, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = await world.program("x", "editor", "ingest")
    monkeypatch.setattr(ingest, "WAITING_POINTS", 0)
    answer = await program.post(path, content=b"nonsense")  # which isn't even looked at
    failed(answer, 503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0


class TestEncodings:
    @pytest.mark.parametrize(("encoding", "pack"), [
        ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress),
        ("identity", bytes),
        ("gzip", lambda raw: gzip.compress(raw[:10]) + gzip.compress(raw[10:])),
    ])  # fmt: skip
    async def test_packed_points(self, world: World, encoding: str, pack: Any) -> None:
        program = await world.program("x", "editor", "ingest")
        raw = orjson.dumps([{"name": "m", "value": 1, "timestamp": NOW, "tags": {"n": str(n)}} for n in range(1000)])
        answer = await program.post("/metrics", content=pack(raw), headers={"Content-Encoding": encoding})
        assert (answer.status_code, answer.json()) == (200, {"data": {"accepted": 1000}})

    @pytest.mark.parametrize("body", [
        pytest.param(b"", id="nothing"), pytest.param(b"x", id="no header"),
        pytest.param(gzip.compress(b"[]" * 500)[:-5], id="no end"), pytest.param(gzip.compress(b"[]") + b"x", id="more after it"),
        pytest.param(gzip.compress(b"[]")[:10], id="header alone"),
    ])  # fmt: skip
    @pytest.mark.parametrize("path", ["/metrics", "/influx/write", "/dashboards"])
    async def test_no_gzip(self, refused: httpx.AsyncClient, path: str, body: bytes) -> None:
        assert set(failed(await refused.post(path, content=body, headers=GZIP), 400, "VALIDATION_ERROR")) == {"Content-Encoding"}

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "snappy", "x" * 1000])
    async def test_unknown_ones(self, refused: httpx.AsyncClient, encoding: str) -> None:
        answer = await refused.post("/metrics", content=b"[]", headers={"Content-Encoding": encoding})
        assert set(failed(answer, 400, "VALIDATION_ERROR")) == {"Content-Encoding"}

    @pytest.mark.parametrize("path", ["/metrics", "/influx/write"])
    async def test_a_bomb_is_stopped_at_the_limit(self, refused: httpx.AsyncClient, path: str) -> None:
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(200)) + packer.flush()
        taken = 0

        async def sent() -> AsyncIterator[bytes]:
            nonlocal taken
            for at in range(0, len(bomb), 1000):
                taken = at
                yield bomb[at : at + 1000]

        failed(await refused.post(path, content=sent(), headers=GZIP), 413, "PAYLOAD_TOO_LARGE")
        assert taken < len(bomb) / 10

    async def test_many_empty_bodies_in_a_row_are_none(self, refused: httpx.AsyncClient) -> None:
        body = gzip.compress(b"") * 1000
        details = failed(await refused.post("/metrics", content=body, headers=GZIP), 400, "VALIDATION_ERROR")
        assert set(details) == {"Content-Encoding"}
