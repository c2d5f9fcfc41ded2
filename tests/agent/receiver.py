"""A server that takes metrics as dashapp's does, and misbehaves on demand."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Point = dict[str, Any]
#: Status, body, headers; or None to hang until released.
Answer = tuple[int, Any, dict[str, str]] | None
Key = tuple[str, str, int]

TOKEN = "secret-token"


def key(point: Point) -> Key:
    return point["name"], json.dumps(point["tags"], sort_keys=True), point["timestamp"]


class Receiver:
    """Stores points by series and timestamp. `behave` decides about each request; None accepts it."""

    def __init__(self) -> None:
        self.stored: dict[Key, float] = {}
        #: Keys that came again with another value.
        self.contradictions: list[Key] = []
        self.batches: list[list[Point]] = []
        self.tokens: set[str | None] = set()
        self.behave: Callable[[list[Point]], Answer | bool] = lambda points: True
        self.changed = threading.Condition()
        self.released = threading.Event()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self._connections: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body leave in one packet, else Nagle and delayed acknowledgement cost 40 ms a request.
            wbufsize = -1

            def do_POST(self) -> None:
                points = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/api/v1/metrics"
                status, body, headers = receiver.answer(points, self.headers.get("Authorization"))
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError, ValueError):  # the agent was killed
                    super().handle()

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                receiver._connections.append(connection)
                return connection, address

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            # Else a connection that is kept goes on being served.
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._connections.clear()

    def answer(self, points: list[Point], authorization: str | None) -> tuple[int, Any, dict[str, str]]:
        with self.changed:
            self.batches.append(points)
            self.tokens.add(authorization)
            self.changed.notify_all()
        decided = self.behave(points)
        if decided is None:
            self.released.wait(30)
            return 503, {"error": "late", "code": "UNAVAILABLE"}, {}
        if not isinstance(decided, bool):
            return decided
        with self.changed:
            for point in points:
                if self.stored.setdefault(key(point), point["value"]) != point["value"]:
                    self.contradictions.append(key(point))
            self.changed.notify_all()
        return 200, {"data": {"accepted": len(points)}}, {}

    def wait(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, seconds), f"{len(self.batches)} batches, {len(self.stored)} points stored"


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.stop()


def failure(status: int, code: str, details: dict[str, str] | None = None, **headers: str) -> Answer:
    body: dict[str, Any] = {"error": "No.", "code": code}
    return (
        status,
        {**body, "details": details} if details else body,
        {name.replace("_", "-"): value for name, value in headers.items()},
    )
