"""From the spool to the server: at least once, in order, and what the server condemns only once."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from dashapp.agent.daemon import in_thread
from dashapp.agent.spool import Spool
from dashapp.contract.addresses import on_this_machine, server_url
from dashapp.errors import StartupError

log = logging.getLogger(__name__)

MAX_POINTS = 1000
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
#: A server that asks for a longer pause than this is misunderstood, or was at the time.
_LONGEST_RETRY_AFTER_S = 300.0
#: After so many batches in a row the sender dares a larger one again.
_GROW_AFTER = 20
_POINT = re.compile(r"^(?:body\.)?points\.(\d+)(?:\.|$)")


@dataclass(frozen=True)
class _Accepted:
    """The server has the points."""


@dataclass(frozen=True)
class _Refused:
    """The server will never take these points; `named` are the positions that it blames."""

    message: str
    named: frozenset[int]


@dataclass(frozen=True)
class _TooLarge:
    """Too much in one request."""


@dataclass(frozen=True)
class _Later:
    """The same request may succeed later. `kind` tells one outage from another, so that each is logged once."""

    kind: str
    sentence: str
    wait_s: float = 0.0


_Answer = _Accepted | _Refused | _TooLarge | _Later


class Sender:
    """Sends what waits in `spool` to `url`.

    Args:
        url: of the server, ``https://metrics.example.org``.
        token: with scope ``ingest`` or more.
        timeout_s: how long the server may take to answer.
        first_wait_s, longest_wait_s: between attempts; doubled from one to the other, with jitter.

    Raises:
        StartupError: the URL or the token can't be one.
    """

    def __init__(
        self,
        spool: Spool,
        url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._spool = spool
        self._url = f"{server_url(url)}/api/v1/metrics"
        if not token.strip() or not token.strip().isascii() or not token.strip().isprintable():
            raise StartupError("the token is empty or holds characters that no token has; make one with `dashapp token create`.")
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token.strip()}", "Content-Type": "application/json", "User-Agent": "dashapp-agent"},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            trust_env=not on_this_machine(url),
        )
        self._more = asyncio.Event()
        self._limit = MAX_POINTS
        self._accepted_in_a_row = 0
        self._trouble: str | None = None
        self._refused = 0

    def wake(self) -> None:
        """There is something new in the spool."""
        self._more.set()

    def take_refused(self) -> int:
        """Points that the server refused for good since the last call."""
        refused, self._refused = self._refused, 0
        return refused

    async def run(self) -> None:
        """Send for ever; returns only by being cancelled."""
        while True:
            self._more.clear()
            await self._drain(patient=True)
            await self._more.wait()

    async def flush(self) -> bool:
        """Send what waits, stopping at the first failure. True when nothing is left."""
        return await self._drain(patient=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def _drain(self, *, patient: bool) -> bool:
        while batch := await in_thread(self._spool.read, self._limit):
            if not await self._deliver(batch.points, patient=patient):
                return False
            await in_thread(self._spool.acknowledge, batch)
        return True

    async def _deliver(self, points: Sequence[bytes], *, patient: bool) -> bool:
        """See to it that each point is accepted or refused for good. False, if not patient, when that can't be now."""
        parts = [points] if points else []
        failures = 0
        while parts:
            part = parts.pop()
            match await self._post(part):
                case _Accepted():
                    failures = 0
                    self._went_through()
                case _Refused(message, named):
                    failures = 0
                    parts += reversed(self._without_refused(part, named, message))
                case _TooLarge():
                    if len(part) == 1:
                        self._refuse(part, "it is too large")
                        continue
                    self._limit, self._accepted_in_a_row = max(len(part) // 2, 1), 0
                    parts += reversed(_halves(part))
                case _Later() as later:
                    self._note(later)
                    if not patient:
                        return False
                    parts.append(part)
                    await asyncio.sleep(_pause(failures, later, self._first_wait_s, self._longest_wait_s))
                    failures += 1
        return True

    def _without_refused(self, part: Sequence[bytes], named: frozenset[int], message: str) -> list[Sequence[bytes]]:
        """What is left to send after a refusal: all but the points named, or both halves if none is."""
        if not named and len(part) > 1:
            return _halves(part)
        self._refuse([part[at] for at in sorted(named)] or part, message)
        rest = [point for at, point in enumerate(part) if at not in named] if named else []
        return [rest] if rest else []

    def _refuse(self, points: Sequence[bytes], message: str) -> None:
        self._refused += len(points)
        first = points[0][:300].decode(errors="replace")
        log.warning("The server refused %d points for good (%s); the first is %s", len(points), message, first)

    def _went_through(self) -> None:
        if self._trouble is not None:
            log.info("The server takes the metrics again; %d points wait.", self._spool.waiting)
            self._trouble = None
        self._accepted_in_a_row += 1
        if self._limit < MAX_POINTS and self._accepted_in_a_row >= _GROW_AFTER:
            self._limit, self._accepted_in_a_row = min(self._limit * 2, MAX_POINTS), 0

    def _note(self, later: _Later) -> None:
        if later.kind != self._trouble:
            self._trouble = later.kind
            log.warning("%s The metrics are kept, and sent when that is over.", later.sentence)

    async def _post(self, points: Sequence[bytes]) -> _Answer:
        try:
            response = await self._client.post(self._url, content=b"[" + b",".join(points) + b"]")
        except httpx.RequestError as error:
            reason = str(error) or type(error).__name__
            return _Later("connection", f"The server at {self._url} can't be reached ({reason}).")
        return self._judge(response, len(points))

    def _judge(self, response: httpx.Response, count: int) -> _Answer:
        """What an answer means. Only dashapp's own answers decide about points: a proxy in between decides nothing."""
        status, body = response.status_code, _body(response)
        wait_s = _retry_after(response.headers.get("Retry-After"))
        if status in (200, 201) and isinstance(body.get("data"), dict) and "accepted" in body["data"]:
            return _Accepted()
        if status == 413 and (count > 1 or "code" in body):
            return _TooLarge()
        if status == 400 and "code" in body:
            details = body.get("details")
            places = [_POINT.match(str(path)) for path in details] if isinstance(details, dict) else []
            named = frozenset(int(place[1]) for place in places if place and int(place[1]) < count)
            return _Refused(str(body.get("error", "no reason given")), named)
        if status in (401, 403):
            sentence = f"The server at {self._url} doesn't accept the token ({status}); make a new one with `dashapp token create`."
            return _Later("token", sentence, max(wait_s, self._longest_wait_s))
        if status in (408, 429) or status >= 500:
            return _Later("busy", f"The server at {self._url} answers {status}.", wait_s)
        sentence = f"What answers at {self._url} isn't dashapp's API (status {status}); check the URL."
        return _Later("stranger", sentence, max(wait_s, self._longest_wait_s))


def _pause(failures: int, later: _Later, first_s: float, longest_s: float) -> float:
    """Seconds until the next attempt: doubling, half of it left to chance so that many agents don't come back as one."""
    backoff = float(min(first_s * 2 ** min(failures, 16), longest_s) * random.uniform(0.5, 1.0))
    return max(backoff, later.wait_s)


def _halves(part: Sequence[bytes]) -> list[Sequence[bytes]]:
    middle = len(part) // 2
    return [part[:middle], part[middle:]]


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(header: str | None) -> float:
    """Seconds to wait, from a header that holds seconds or a date; 0 where it holds neither."""
    if not header:
        return 0.0
    try:
        seconds = float(header) if header.strip().isdigit() else parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S)
