"""A sender of points that is not the bottleneck: prepared bodies over raw keep-alive connections, in a process of its own.

``python -m benchmarks.load URL TOKEN --requests 500 --connections 8 [--rate 50]`` prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from urllib.parse import urlsplit

import numpy as np
import orjson
import uvloop

from benchmarks.data import INGEST_SERIES, INGEST_STEP_MS, ingest_tags, ingest_value

#: Stands in the prepared bodies where each request's time goes; as long as one.
_TIME = b"1000000000000"
#: Prepared bodies; requests take them in turn.
_BODIES = 32


class Sender:
    """Posts one body after the other to `url`, at most `rate` requests a second over all connections."""

    def __init__(self, url: str, token: str, start_ms: int, requests: int, rate: float) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.start_ms, self.requests, self.rate = start_ms, requests, rate
        self.bodies = [
            orjson.dumps(
                [
                    {
                        "name": "bench.load",
                        "value": ingest_value(number, series),
                        "tags": ingest_tags(series),
                        "timestamp": int(_TIME),
                    }
                    for series in range(INGEST_SERIES)
                ]
            )
            for number in range(_BODIES)
        ]
        self.heads = [
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            for body in self.bodies
        ]
        self.next = 0
        self.seconds: list[float] = []
        self.refused = 0

    async def run(self, connections: int) -> dict[str, float]:
        self.began = time.perf_counter()
        await asyncio.gather(*(self._send() for _ in range(connections)))
        took = time.perf_counter() - self.began
        return {
            "points": (self.requests - self.refused) * INGEST_SERIES, "seconds": took, "refused": self.refused,
            "p50_ms": float(np.percentile(self.seconds, 50) * 1e3), "p95_ms": float(np.percentile(self.seconds, 95) * 1e3),
            "cpu_s": time.process_time(),
        }  # fmt: skip

    async def _send(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        while self.next < self.requests:
            number, self.next = self.next, self.next + 1
            if self.rate and (wait := self.began + number / self.rate - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            body = self.bodies[number % _BODIES].replace(_TIME, str(self.start_ms + number * INGEST_STEP_MS).encode())
            sent = time.perf_counter()
            writer.write(self.heads[number % _BODIES] + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            self.seconds.append(time.perf_counter() - sent)
            if not head.startswith(b"HTTP/1.1 200"):
                self.refused += 1
                if not head.startswith(b"HTTP/1.1 503"):
                    raise RuntimeError(answer.decode())
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0 as fast as they are answered")
    parser.add_argument("--start", type=int, default=0, help="time of the first request's points, Unix ms")
    options = parser.parse_args()
    sender = Sender(options.url, options.token, options.start or time.time_ns() // 1_000_000, options.requests, options.rate)
    print(json.dumps(uvloop.run(sender.run(options.connections))))


if __name__ == "__main__":
    main()
