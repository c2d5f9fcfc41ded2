"""Ten thousand bodies that nobody should send, made by Hypothesis and sent to a server's own process: each is the sender's
fault, none dashapp's, and the process stays as large as it was."""

from __future__ import annotations

import gzip
import json
import re
import select
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dashapp.api.app import create_api
from dashapp.api.examples import BODIES
from tests.api.conftest import Served
from tests.api.test_strict import places, replaced

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
_MARK = "@@hostile@@"
MB = 1_000_000

# -- what is sent ------------------------------------------------------------------------------------------------------

_TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)  # NUL and lone surrogates, too
_HUGE = st.integers(1, 500).flatmap(lambda digits: st.integers(-(10**digits), 10**digits))
_SCALARS = st.none() | st.booleans() | _HUGE | st.floats() | _TEXTS
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4), max_leaves=8
)
_DEPTHS = st.integers(1, 17).map(lambda power: 2**power)
#: JSON texts, and what looks like them. `json.dumps` writes NaN, infinities and lone surrogates as they are.
TEXTS = (
    _VALUES.map(json.dumps)
    | _DEPTHS.map(lambda depth: "[" * depth + "]" * depth)
    | _DEPTHS.map(lambda depth: "[" * depth)
    | _DEPTHS.map(lambda depth: '{"a":' * depth + "1" + "}" * depth)
    | _DEPTHS.map(lambda length: json.dumps("x" * length))
    | _DEPTHS.map(lambda length: "9" * length)
    | st.sampled_from(["1e400", "-0", "0x10", "01", ".5", "'a'", "undefined", "[1,]", "{1:2}", '{"a":1,"a":2}', "nan", ""])
    | st.sampled_from([
        "2026-13-45T99:99:99Z", "0000-00-00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1793491200", "1e309 days",
        "99999999999999999999d", "; DROP TABLE users; --", "../../etc/passwd", "<script>alert(1)</script>", "\u202e",
    ]).map(json.dumps)
)  # fmt: skip
TYPES = st.sampled_from([
    "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ";;", "application/x-protobuf",
    "application/json; charset=utf-16",
])  # fmt: skip


@st.composite
def _packings(draw: st.DrawFn) -> Any:
    """How a body is made worse on its way: from bytes to (bytes, headers)."""
    kind, part = (
        draw(st.sampled_from(["as it is"] * 5 + ["cut", "changed", "packed", "packed and cut", "bomb", "misnamed"])),
        draw(st.floats(0, 1)),
    )
    noise = draw(st.binary(min_size=1, max_size=8))

    def pack(raw: bytes) -> tuple[bytes, dict[str, str]]:
        at = int(len(raw) * part)
        match kind:
            case "cut":
                return raw[:at], {}
            case "changed":
                return raw[:at] + noise + raw[at + len(noise) :], {}
            case "packed":
                return gzip.compress(raw, 1), {"Content-Encoding": "gzip"}
            case "packed and cut":
                packed = gzip.compress(raw, 1)
                return packed[: int(len(packed) * part)], {"Content-Encoding": "gzip"}
            case "bomb":
                return _bomb(), {"Content-Encoding": "gzip"}
            case "misnamed":
                named = ("gzip", "snappy", "br", "gzip, gzip", "identity", "deflate")
                return raw, {"Content-Encoding": named[noise[0] % len(named)]}
        return raw, {}

    return pack


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 100 * MB, 9)


@st.composite
def batches(draw: st.DrawFn, size: int) -> list[tuple[str, str, bytes, dict[str, str]]]:
    """Requests: each value in a good body's place, or instead of it, in each of some wrappings. A handful of choices makes
    many bodies; drawing each body by itself would take longer than sending it."""
    texts, packings = draw(st.lists(TEXTS, min_size=6, max_size=6)), draw(st.lists(_packings(), min_size=5, max_size=5))
    types, offset = draw(st.lists(TYPES, min_size=4, max_size=4)), draw(st.integers(0, 10_000))
    made = []
    for number in range(offset, offset + size):
        operation, method, path = TARGETS[number % len(TARGETS)]
        body, text = BODIES[operation], texts[number % 6]
        spots = list(places(body))
        spot = spots[number // len(TARGETS) * 7 % len(spots)]
        whole = json.dumps(replaced(body, spot, _MARK)).replace(json.dumps(_MARK), text)
        raw, headers = packings[number % 5](whole.encode("utf-8", "surrogatepass"))
        made.append((method, path, raw, headers | {"Content-Type": types[number % 4]}))
    return made


# -- how it is sent ----------------------------------------------------------------------------------------------------


class Wire:
    """One connection to a server, without a client's care for what is sent."""

    def __init__(self, served: Served) -> None:
        self._token, self._address = served.token, urlsplit(served.server.url)
        self._socket, self._read = self._open()

    def _open(self) -> tuple[socket.socket, Any]:
        made = socket.create_connection((str(self._address.hostname), int(self._address.port or 0)), timeout=60)
        return made, made.makefile("rb")

    def close(self) -> None:
        self._read.close()
        self._socket.close()

    def head(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        sent = {"Host": "dash.test", "Authorization": f"Bearer {self._token}", **headers}
        lines = [f"{method} /api/v1{path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def ask(self, requests: list[tuple[str, str, bytes, dict[str, str]]]) -> Iterator[tuple[int, bytes]]:
        """The answers, (status, body), to requests that are sent one behind the other without waiting."""
        for method, path, raw, headers in requests:
            self._socket.sendall(self.head(method, path, headers | {"Content-Length": str(len(raw))}) + raw)
        for _ in requests:
            yield self.answer()

    def answer(self) -> tuple[int, bytes]:
        status, length = self._read.readline(), 0
        while (line := self._read.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return int(status.split()[1]), self._read.read(length)

    def pour(self, method: str, path: str, most: int) -> int:
        """Send an endless body until there is an answer; how many bytes went out."""
        self._socket.sendall(self.head(method, path, {"Transfer-Encoding": "chunked"}))
        piece, sent = b"10000\r\n" + b" " * 65_536 + b"\r\n", 0
        with suppress(ConnectionError):
            while sent < most and not select.select([self._socket], [], [], 0)[0]:
                self._socket.sendall(piece)
                sent += 65_536
        return sent


def resident(served: Served) -> int:
    return int(psutil.Process(served.server.process.pid).memory_info().rss)


def test_every_operation_with_a_body_is_tried() -> None:
    document = create_api(None).openapi()
    takes = {
        (method.upper(), path.replace("{name}", "room.temperature")) for path, operations in document["paths"].items()
        for method, operation in operations.items() if "requestBody" in operation
    }  # fmt: skip
    tried = {(method, path) for _, method, path in TARGETS}
    slow = {("POST", "/auth/login"), ("PUT", "/auth/password")}
    assert tried == {(method, re.sub(r"{\w+_id}", _ID, path)) for method, path in takes} - slow


@pytest.mark.timeout(180)
def test_ten_thousand_bodies(served: Served) -> None:
    seen: Counter[int] = Counter()
    size, begun = 50, 0

    with closing(Wire(served)) as wire:

        @settings(
            max_examples=10_000 // size, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(batches(size))
        def each_is_the_senders_fault(requests: list[tuple[str, str, bytes, dict[str, str]]]) -> None:
            nonlocal begun
            for (method, path, raw, headers), (status, answer) in zip(requests, wire.ask(requests), strict=True):
                seen[status] += 1
                assert status < 500, f"{method} {path} {headers}: {raw[:500]!r} → {answer!r}"
                if status >= 400:
                    assert json.loads(answer)["error"], (path, raw[:200])
            if not begun and seen.total() >= 1_000:
                begun = resident(served)  # caches are warm, libraries loaded
            assert not begun or resident(served) - begun < 60 * MB

        each_is_the_senders_fault()
    assert seen.total() >= 10_000
    assert seen[400] > 5_000, seen


@pytest.mark.timeout(180)
def test_large_and_packed_bodies_take_no_memory(served: Served) -> None:
    begun = resident(served)
    for _, method, path in TARGETS:
        with closing(Wire(served)) as wire:
            sent = wire.pour(method, path, 100 * MB)
            status, answer = wire.answer()
            assert (status, json.loads(answer)["code"]) == (413, "PAYLOAD_TOO_LARGE"), path
            assert sent < 30 * MB, "what lies in the sockets' buffers counts, too"
        with closing(Wire(served)) as wire:
            ((status, _),) = wire.ask([(method, path, _bomb(), {"Content-Encoding": "gzip"})])
            assert status in (400, 413), path
            wire._socket.sendall(wire.head(method, path, {"Content-Length": str(100 * MB)}))
            assert wire.answer()[0] == 413
        assert resident(served) - begun < 60 * MB, path
