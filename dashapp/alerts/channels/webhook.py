"""Webhooks: a POST with the body of Alertmanager's webhooks, version 4, so that receivers made for it work.

Signed as https://www.standardwebhooks.com has it where a secret is set: `webhook-id` is the message's stable id.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpcore

from dashapp.alerts.channels import DeliveryFailed
from dashapp.alerts.channels.addresses import resolve
from dashapp.alerts.message import Message, stamp

#: For everything from the name's resolution to the last byte of the answer's head.
TIMEOUT_SECONDS = 5.0
_NEVER = "0001-01-01T00:00:00Z"


def body(message: Message) -> dict[str, Any]:
    """The JSON document. An incident's `fingerprint`, `groupKey` and `startsAt` stay the same."""
    labels, annotations = message.labels, {"summary": message.title, "description": message.text}
    alert = {
        "status": message.status, "labels": labels, "annotations": annotations, "startsAt": stamp(message.triggered_at),
        "endsAt": stamp(message.resolved_at) if message.resolved_at else _NEVER, "generatorURL": message.link,
        "fingerprint": message.fingerprint, "value": message.value,
    }  # fmt: skip
    return {
        "version": "4", "groupKey": f'{{}}:{{rule_id="{message.rule_id}",instance="{message.fingerprint}"}}', "truncatedAlerts": 0,
        "status": message.status, "receiver": "dashapp", "groupLabels": {"alertname": message.rule_name},
        "commonLabels": labels, "commonAnnotations": annotations, "externalURL": message.base_url, "alerts": [alert],
    }  # fmt: skip


def signature(secret: str, identifier: str, timestamp: int, content: bytes) -> str:
    """``v1,`` and the base64 of HMAC-SHA256 over id, timestamp and body, joined with dots."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = secret.encode()
    signed = f"{identifier}.{timestamp}.".encode() + content
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to the address that was checked, so that a name can't lead elsewhere between check and connection."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private, self._inner = allow_private, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await resolve(host, port, allow_private=self._allow_private)
        for number, address in enumerate(addresses[:4], 1):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses[:4]):
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Webhook:
    """Sends to URLs."""

    def __init__(self, *, allow_private: bool, secret: str = "") -> None:
        self._allow_private, self._secret = allow_private, secret

    async def send(self, target: str, message: Message) -> None:
        """
        Raises:
            DeliveryFailed: the receiver can't be reached, may not be, or doesn't answer 2xx in time.
        """
        content = json.dumps(body(message), ensure_ascii=False).encode()
        now = int(time.time())
        headers = [
            ("Host", urlsplit(target).netloc), ("Content-Type", "application/json"), ("Content-Length", str(len(content))),
            ("User-Agent", "dashapp"), ("webhook-id", str(message.id)), ("webhook-timestamp", str(now)),
        ]  # fmt: skip
        if self._secret:
            headers.append(("webhook-signature", signature(self._secret, str(message.id), now, content)))
        host = urlsplit(target).hostname or ""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, retry_after = await self._post(target, headers, content)
        except DeliveryFailed:
            raise
        except TimeoutError:
            raise DeliveryFailed(f"{host} didn't answer within {TIMEOUT_SECONDS:g} s.", maybe_sent=True) from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise DeliveryFailed(f"{host} can't be reached ({_reason(error)}).") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise DeliveryFailed(f"{host} broke off ({_reason(error)}).", maybe_sent=True) from None
        except (httpcore.UnsupportedProtocol, ValueError, UnicodeError) as error:
            raise DeliveryFailed(f"the webhook's URL can't be used ({_reason(error)}).") from None
        if not 200 <= status < 300:
            redirect = "; redirects aren't followed" if 300 <= status < 400 else ""
            raise DeliveryFailed(f"{host} answered {status}{redirect}.", retry_after=retry_after)

    async def _post(self, target: str, headers: list[tuple[str, str]], content: bytes) -> tuple[int, float]:
        # A pool of its own for each: connections aren't kept, and nothing of the environment, such as a proxy, has a say.
        async with (
            httpcore.AsyncConnectionPool(network_backend=_Guarded(self._allow_private)) as pool,
            pool.stream("POST", target.encode("ascii", "strict"), headers=headers, content=content) as response,
        ):
            asked = dict(response.headers).get(b"retry-after", b"0")
            return response.status, min(float(asked), 3600.0) if asked.isdigit() else 0.0


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
