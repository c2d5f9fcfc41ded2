"""Requests to the API: repeated while the server is away, and answered with data or with one of the error family."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from dashapp import errors
from dashapp.contract.addresses import on_this_machine
from dashapp.errors import DashappError, Unavailable

_FAMILY: dict[str, type[DashappError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DashappError) and "code" in vars(kind)
}
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0


class Transport:
    """A connection to one server.

    Args:
        timeout_s: how long the server may take to answer one request.
        patience_s: how long a request is repeated while the server is away (503, 429, no connection). All that the client
            asks may be repeated: sending the same points twice changes nothing.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0, patience_s: float = 30.0) -> None:
        self.url = url
        self._patience_s = patience_s
        self._client = httpx.AsyncClient(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}", "User-Agent": "dashapp-client"},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            trust_env=not on_this_machine(url),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def data(self, method: str, path: str, **request: Any) -> Any:
        """The ``data`` of an answer."""
        return orjson.loads((await self.send(method, path, **request)).content)["data"]

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = None,
    ) -> httpx.Response:
        """The answer to a request that went well; with a patience of its own if need be.

        Raises:
            DashappError: the one of the family that the API answers.
            Unavailable: the server couldn't be reached, or had no time, for as long as patience lasts.
        """
        body = orjson.dumps(json) if json is not None else content
        given = {"Content-Type": "application/json"} | dict(headers or {}) if body is not None else dict(headers or {})
        deadline, failures = time.monotonic() + (self._patience_s if patience_s is None else patience_s), 0
        while True:
            try:
                answer = await self._client.request(method, path, content=body, params=params, headers=given)
            except httpx.RequestError as error:
                failure: DashappError = Unavailable(
                    f"The server at {self.url} can't be reached ({str(error) or type(error).__name__})."
                )
                wait_s = 0.0
            else:
                if answer.is_success:
                    return answer
                failure = self._failure(answer)
                wait_s = float(failure.retry_after or 0)
                if answer.status_code not in (429, 502, 503, 504):
                    raise failure
            backoff = min(_FIRST_WAIT_S * 2**failures, _LONGEST_WAIT_S) * random.uniform(0.5, 1.0)
            failures += 1
            if time.monotonic() + max(backoff, wait_s) > deadline:
                raise failure
            await asyncio.sleep(max(backoff, wait_s))

    def _failure(self, answer: httpx.Response) -> DashappError:
        retry_after = answer.headers.get("Retry-After", "")
        try:
            return failure(orjson.loads(answer.content), int(retry_after) if retry_after.isdecimal() else None)
        except (orjson.JSONDecodeError, TypeError, KeyError):
            if answer.status_code >= 500:
                return Unavailable(f"The server at {self.url} answers {answer.status_code}.")
            return DashappError(f"What answers at {self.url} isn't dashapp's API (status {answer.status_code}); check the URL.")


def failure(body: Mapping[str, Any], retry_after: int | None = None) -> DashappError:
    """The error that an answer's body tells of."""
    kind = _FAMILY.get(str(body["code"]), DashappError)
    if kind is Unavailable:
        return Unavailable(str(body["error"]), retry_after=retry_after or 1)
    return kind(str(body["error"]), details=body.get("details") or {}, retry_after=retry_after)
