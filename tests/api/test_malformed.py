"""Ten thousand bodies that nobody should send: each is the sender's fault, none dashapp's, and memory stays bounded."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashapp.accounts.accounts import TokenUse
from dashapp.api.app import ROUTERS
from dashapp.api.body import PublicRoute
from dashapp.api.examples import BODIES
from tests.api.conftest import World, failed

#: (operation, method, path) of what takes a body. Signing in is left out: it is slow on purpose.
_ID = "00000000-0000-4000-8000-000000000000"
TARGETS = [
    ("sendPoints", "POST", "/metrics"), ("sendPoints", "POST", "/write"), ("sendPoints", "POST", "/influx/write"),
    ("describeMetric", "PUT", "/metrics/room.temperature"), ("query", "POST", "/query"), ("queryBatch", "POST", "/query/batch"),
    ("createDashboard", "POST", "/dashboards"), ("createDashboard", "POST", "/dashboards/import"),
    ("updateDashboard", "PUT", f"/dashboards/{_ID}"), ("addPanel", "POST", f"/dashboards/{_ID}/panels"),
    ("updatePanel", "PUT", f"/panels/{_ID}"), ("createRule", "POST", "/alerts"), ("backtestRule", "POST", "/alerts/backtest"),
    ("updateRule", "PUT", f"/alerts/{_ID}"), ("createReport", "POST", f"/dashboards/{_ID}/reports"),
    ("updateReport", "PUT", f"/reports/{_ID}"),
    ("createSilence", "POST", "/alerts/silences"), ("pauseRule", "POST", f"/alerts/{_ID}/pause"),
    ("createToken", "POST", "/auth/tokens"), ("createUser", "POST", "/users"), ("updateUser", "PUT", f"/users/{_ID}"),
]  # fmt: skip
#: JSON texts in place of a value.
HOSTILE = [
    "null", "true", "-0", "1e400", "-1e999", "NaN", "Infinity", "1" * 400, "9223372036854775808", "1e-400", '""', '"\\u0000"',
    '"\\ud800"', '"\\udfff\\ud800"', '"' + "x" * 70_000 + '"', "[]", "{}", "[" * 2_000 + "]" * 2_000, "[" * 100_000,
    '{"a":' * 500 + "1" + "}" * 500,
    '"2026-13-45T99:99:99Z"', '"0000-00-00"', '"; DROP TABLE users; --"', '"../../etc/passwd"', '"<script>alert(1)</script>"',
    '"\\u202e"',
    "0x10", "01", ".5", "'single'", "undefined", "[1,]", "{1:2}", '{"a":1,"a":2}', '"1e309 days"', '"99999999999999999999d"',
]  # fmt: skip
_MARK = "@@hostile@@"


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _with(value: Any, path: tuple[Any, ...], fresh: Any) -> Any:
    if not path:
        return fresh
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(copy[path[0]], path[1:], fresh)
    return copy


def _value_replaced(body: Any, chance: random.Random) -> bytes:
    path = chance.choice(_places(body))
    return json.dumps(_with(body, path, _MARK)).replace(f'"{_MARK}"', chance.choice(HOSTILE)).encode()


def _field_added(body: Any, chance: random.Random) -> bytes:
    name = chance.choice(["__class__", "id", "", "a" * 5_000, "\\u0000", "ownerId", "constructor"])
    return json.dumps(body).encode().replace(b"{", b'{"' + name.encode() + b'": ' + chance.choice(HOSTILE).encode() + b", ", 1)


def _cut(body: Any, chance: random.Random) -> bytes:
    raw = json.dumps(body).encode()
    return raw[: chance.randrange(len(raw))]


def _bytes_changed(body: Any, chance: random.Random) -> bytes:
    raw = bytearray(json.dumps(body).encode())
    for _ in range(chance.randrange(1, 8)):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    return bytes(raw)


def _noise(_body: Any, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(200))


MUTATIONS: list[Callable[[Any, random.Random], bytes]] = [
    _value_replaced,
    _value_replaced,
    _field_added,
    _cut,
    _bytes_changed,
    _noise,
]


def _headers(raw: bytes, chance: random.Random) -> tuple[bytes, dict[str, str]]:
    headers = {
        "Content-Type": chance.choice(
            [
                "application/json",
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
                ";;",
                "application/x-protobuf",
            ]
        )
    }
    packed = chance.random()
    if packed < 0.1:
        raw = gzip.compress(raw)
        raw, headers["Content-Encoding"] = raw[: chance.randrange(len(raw))], "gzip"
    elif packed < 0.15:
        headers["Content-Encoding"] = chance.choice(["gzip", "snappy", "br", "gzip, gzip", "identity", "\x7f"])
    return raw, headers


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 100_000_000, 9)


def _generated(count: int) -> list[Any]:
    """JSON values as Hypothesis thinks of them."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    values: list[Any] = []

    @settings(max_examples=count, database=None, derandomize=True, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
    def remember(value: Any) -> None:
        values.append(value)

    remember()
    return values


@pytest.fixture
async def program(world: World, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """Somebody who is asked for once: it is the bodies that are tried, not the database."""
    ask, known = world.services.accounts.by_token, {}

    async def remembered(token: str) -> TokenUse | None:
        if token not in known:
            known[token] = await ask(token)
        return known[token]

    monkeypatch.setattr(world.services.accounts, "by_token", remembered)
    return await world.program("admin", "admin", "write")


def test_every_operation_with_a_body_is_tried() -> None:
    takes = {
        route.operation_id or route.unique_id
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, PublicRoute) and route.body_field is not None
    }
    assert takes
    assert set(BODIES) - {"login", "changePassword"} == {name for name, _, _ in TARGETS}


@pytest.mark.timeout(180)
async def test_ten_thousand_bodies(program: httpx.AsyncClient) -> None:
    seen: Counter[int] = Counter()
    generated = _generated(1_000)
    for round_ in range(10_000):
        chance = random.Random(round_)
        operation, method, path = TARGETS[round_ % len(TARGETS)]
        body = BODIES[operation]
        if round_ < len(generated):  # the whole body, or a value in a good one
            value = generated[round_]
            raw = json.dumps(value if round_ % 4 == 0 else _with(body, chance.choice(_places(body)), value)).encode()
        else:
            raw = chance.choice(MUTATIONS)(body, chance)
        raw, headers = _headers(raw, chance)
        answer = await program.request(method, path, content=raw, headers=headers)
        seen[answer.status_code] += 1
        if answer.status_code >= 400:
            assert answer.status_code < 500, f"{method} {path} {headers}: {raw[:500]!r} → {answer.text}"
            if answer.status_code != 413 and not path.endswith("write"):
                assert answer.json()["error"], (path, raw[:200])
    assert seen.total() == 10_000
    assert seen[400] > 5_000, seen


@pytest.mark.parametrize(("method", "path"), [(method, path) for _, method, path in TARGETS])
async def test_large_and_packed_bodies_take_no_memory(program: httpx.AsyncClient, method: str, path: str) -> None:
    _bomb()
    process = psutil.Process()
    before, sent = process.memory_info().rss, 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1_000_000
            yield b" " * 1_000_000

    failed(await program.request(method, path, content=endless()), 413, "PAYLOAD_TOO_LARGE")
    assert sent < 10_000_000
    answer = await program.request(method, path, content=_bomb(), headers={"Content-Encoding": "gzip"})
    assert answer.status_code in (400, 413)
    assert process.memory_info().rss - before < 60_000_000
