from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from dashapp.api.body import LIMIT
from tests.api.conftest import World, failed

#: A whole minute soon, Unix ms: points before the hour in which a database was made count as late there, and so only
#: after the next pass of the storage job, which doesn't run here.
T0 = int(time.time() // 60 * 60_000) + 600_000


def point(value: object = 1.0, **more: Any) -> dict[str, Any]:
    return {"name": "cpu.usage", "value": value, "timestamp": T0, **more}


def over(minutes: int = 5, **more: Any) -> dict[str, Any]:
    """A query's range from T0."""
    return {"query": "cpu.usage", "start": iso(T0), "end": iso(T0 + minutes * 60_000), "step": "1m", **more}


def iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


async def points(client: httpx.AsyncClient, **more: Any) -> list[dict[str, Any]]:
    answer = await client.post("/query", json=over(**more))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["data"]
    return found


class TestSending:
    async def test_is_answered_after_the_commit_and_repeatable(self, editor: httpx.AsyncClient) -> None:
        batch = [point(2.0), point(4.0, timestamp=T0 + 30_000), point(5, timestamp=T0 + 120_000, tags={"host": "a"})]
        for _ in range(2):
            answer = await editor.post("/metrics", json=batch)
            assert (answer.status_code, answer.json()) == (200, {"data": {"accepted": 3}})
            assert await points(editor) == [{"time": iso(T0), "value": 3.0}, {"time": iso(T0 + 120_000), "value": 5.0}]
        assert (await editor.post("/metrics", json=[{"name": "now", "value": 1}])).json() == {"data": {"accepted": 1}}

    @pytest.mark.parametrize(
        ("bad", "field"),
        [
            ({"name": "1x"}, "points.1.name"),
            ({"name": "x" * 256}, "points.1.name"),
            ({"value": "1"}, "points.1.value"),
            ({"value": None}, "points.1.value"),
            ({"value": True}, "points.1.value"),
            ({"value": 1e300}, "points.1.value"),
            ({"tags": {"1": "x"}}, "points.1.tags.1.[key]"),
            ({"tags": {"host": "x" * 257}}, "points.1.tags.host"),
            ({"tags": {"host": "\x00"}}, "points.1.tags"),
            ({"tags": {f"t{n}": "" for n in range(33)}}, "points.1.tags"),
            ({"timestamp": 1.5}, "points.1.timestamp"),
            ({"timestamp": T0 + 2 * 3_600_000}, "points.1.timestamp"),
            ({"color": "red"}, "points.1.color"),
        ],
    )
    async def test_one_bad_point_refuses_all_and_is_named(
        self, refused: httpx.AsyncClient, bad: dict[str, Any], field: str
    ) -> None:
        details = failed(await refused.post("/metrics", json=[point(), {**point(), **bad}]), 400, "VALIDATION_ERROR")
        assert set(details) == {field}
        assert await points(refused) == []

    async def test_every_bad_point_has_an_entry(self, refused: httpx.AsyncClient) -> None:
        batch = [point(), point("x"), point(), point(name=""), {}]
        details = failed(await refused.post("/metrics", json=batch), 400, "VALIDATION_ERROR")
        assert set(details) == {"points.1.value", "points.3.name", "points.4.name", "points.4.value"}

    @pytest.mark.parametrize("count", [0, 1001])
    async def test_a_batch_has_1_to_1000(self, refused: httpx.AsyncClient, count: int) -> None:
        details = failed(
            await refused.post("/metrics", json=[point(timestamp=T0 + n) for n in range(count)]), 400, "VALIDATION_ERROR"
        )
        assert set(details) == {"points"}

    @pytest.mark.parametrize(("role", "scope", "status"), [
        ("viewer", None, 403), ("viewer", "ingest", 403), ("editor", None, 200), ("editor", "ingest", 200),
        ("editor", "read", 403), ("editor", "write", 200), ("admin", "ingest", 200),
    ])  # fmt: skip
    async def test_who_may(self, world: World, role: Any, scope: Any, status: int) -> None:
        sender = await (world.program("x", role, scope) if scope else world.person("x", role))
        assert (await sender.post("/metrics", json=[point()])).status_code == status
        # Whoever may not send is told so before the body is looked at.
        assert (await sender.post("/metrics", content=b"nonsense")).status_code == (400 if status == 200 else 403)

    async def test_an_ingest_token_does_nothing_else(self, world: World) -> None:
        program = await world.program("x", "admin", "ingest")
        await program.post("/metrics", json=[point()])
        for method, path, body in (
            ("GET", "/metrics", None), ("GET", "/metrics/cpu.usage/tags", None), ("PUT", "/metrics/cpu.usage", {"unit": "s"}),
            ("POST", "/query", over()), ("POST", "/query/batch", {"queries": [{"id": "a", **over()}]}),
            ("GET", "/auth/tokens", None), ("POST", "/auth/tokens", {"name": "x", "scope": "write"}),
        ):  # fmt: skip
            failed(await program.request(method, path, json=body), 403, "FORBIDDEN")


HOSTILE = {
    "empty": b"",
    "no JSON": b"{",
    "NaN": b'[{"name": "a", "value": NaN}]',
    "infinity": b'[{"name": "a", "value": -Infinity}]',
    "overflow": b'[{"name": "a", "value": 1e999}]',
    "huge integer": b'[{"name": "a", "value": ' + b"9" * 5000 + b"}]",
    "lone surrogate": b'[{"name": "a", "value": 1, "tags": {"h": "\\ud800"}}]',
    "lone surrogate in a key": b'[{"name": "a", "value": 1, "\\udfff": 1}]',
    "NUL in a key": b'[{"name": "a", "value": 1, "\\u0000": 1}]',
    "bad UTF-8": b'[{"name": "\xff", "value": 1}]',
    "UTF-16": '[{"name": "a", "value": 1}]'.encode("utf-16"),
    "deep": b"[" * 200_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "deep field": b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}",
    "string": b'"points"',
    "null": b"null",
    "number": b"1",
    "trailing": b"[] []",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_bodies_are_the_senders_fault(refused: httpx.AsyncClient, raw: bytes) -> None:
    for path in ("/metrics", "/query", "/query/batch", "/dashboards", "/auth/tokens", "/auth/login"):
        for kind in ({"Content-Type": "application/json"}, {"Content-Type": "text/plain; charset=nonsense"}, {}):
            assert failed(await refused.post(path, content=raw, headers=kind), 400, "VALIDATION_ERROR")


async def test_a_nan_is_named(refused: httpx.AsyncClient) -> None:
    answer = await refused.post("/metrics", content=b'[{"name": "a", "value": 1}, {"name": "a", "value": NaN}]')
    assert set(failed(answer, 400, "VALIDATION_ERROR")) == {"points.1.value"}


async def test_any_content_type_is_json(editor: httpx.AsyncClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await editor.post("/metrics", content=orjson.dumps([point()]), headers=form)).status_code == 200
    assert (await editor.post("/dashboards", content=b'{"name": "x"}', headers=form)).status_code == 201


class TestSize:
    @pytest.mark.parametrize("path", ["/metrics", "/dashboards", "/auth/login"])
    async def test_a_body_that_says_it_is_too_large(self, refused: httpx.AsyncClient, path: str) -> None:
        failed(await refused.post(path, content=b" " * (LIMIT + 1)), 413, "PAYLOAD_TOO_LARGE")

    @pytest.mark.parametrize("path", ["/metrics", "/dashboards", "/auth/login"])
    async def test_a_body_that_does_not_say(self, refused: httpx.AsyncClient, path: str) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 10 * LIMIT:
                sent += 100_000
                yield b" " * 100_000

        failed(await refused.post(path, content=endless()), 413, "PAYLOAD_TOO_LARGE")

    async def test_at_the_limit(self, editor: httpx.AsyncClient) -> None:
        body = orjson.dumps([point()])
        assert (await editor.post("/metrics", content=body.ljust(LIMIT))).status_code == 200

    async def test_strangers_are_sent_away_before_they_send(self, client: httpx.AsyncClient) -> None:
        failed(await client.post("/metrics", content=b" " * (LIMIT + 1)), 401, "UNAUTHORIZED")


class TestCatalog:
    async def test_search_tags_and_description(self, editor: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
        await editor.post("/metrics", json=[point(tags={"host": host}) for host in "ba"] + [point(name="mem.used")])
        assert [m["name"] for m in (await viewer.get("/metrics")).json()["data"]] == ["cpu.usage", "mem.used"]
        assert [m["name"] for m in (await viewer.get("/metrics?q=CPU")).json()["data"]] == ["cpu.usage"]
        assert (await viewer.get("/metrics/cpu.usage/tags")).json() == {"data": {"host": ["a", "b"]}}

        body = {"type": "gauge", "unit": "percent", "description": "How busy."}
        answer = await editor.put("/metrics/cpu.usage", json=body)
        assert (answer.status_code, answer.json()) == (200, {"data": {"name": "cpu.usage", **body}})
        failed(await viewer.put("/metrics/cpu.usage", json=body), 403, "FORBIDDEN")

    @pytest.mark.parametrize("query", ["q=%00", "q=" + "x" * 300, "limit=0", "limit=x"])
    async def test_bad_searches(self, refused: httpx.AsyncClient, query: str) -> None:
        assert set(failed(await refused.get(f"/metrics?{query}"), 400, "VALIDATION_ERROR")) == {query.split("=")[0]}

    async def test_searches_that_find_nothing(self, refused: httpx.AsyncClient) -> None:
        for query in ("%25", "_", "%5C", "'", "%ff"):
            assert (await refused.get(f"/metrics?q={query}")).json() == {"data": []}

    async def test_unknown_metrics(self, refused: httpx.AsyncClient) -> None:
        for name in ("unknown", "not%20one", "%00", "x" * 300):
            failed(await refused.get(f"/metrics/{name}/tags"), 404, "NOT_FOUND")
            failed(await refused.put(f"/metrics/{name}", json={"unit": "s"}), 404, "NOT_FOUND")

    @pytest.mark.parametrize(
        ("body", "field"), [({"type": "histogram"}, "type"), ({"unit": "\x00"}, "unit"), ({"name": "x"}, "name")]
    )
    async def test_bad_descriptions(self, refused: httpx.AsyncClient, body: object, field: str) -> None:
        assert set(failed(await refused.put("/metrics/cpu.usage", json=body), 400, "VALIDATION_ERROR")) == {field}
