"""Receivers on loopback that do as they are told: an HTTP one that fails, hangs, recovers, and a real SMTP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Got:
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes

    @property
    def status(self) -> str:
        return str(self.body["status"])


@dataclass
class HttpReceiver:
    """What came, and how the next requests are answered."""

    got: list[Got] = field(default_factory=list)
    #: A status, ``hang``, ``drop`` or ``drip``.
    answer: int | str = 200
    location: str = ""
    url: str = ""
    #: All requests, also those that were answered badly.
    seen: list[Got] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            raw = await reader.readexactly(int(headers["content-length"]))
            one = Got(headers, json.loads(raw), raw)
            self.seen.append(one)
            if self.answer == "hang":
                await reader.read()
            elif self.answer == "drop":
                writer.transport.abort()
            else:
                if self.answer == 200:
                    self.got.append(one)
                location = f"Location: {self.location}\r\n" if self.location else ""
                writer.write(f"HTTP/1.1 {self.answer} X\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_receiver() -> AsyncIterator[HttpReceiver]:
    receiver = HttpReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()


class Mailbox:
    """An SMTP server's mails; it may refuse."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = ""
        #: Addresses that it has no mailbox for.
        self.unknown: set[str] = set()
        self.url = ""

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        assert isinstance(envelope.content, bytes)
        self.mails.append(BytesParser(policy=modern).parsebytes(envelope.content))  # type: ignore[arg-type]
        return "250 OK"


@asynccontextmanager
async def mail_receiver() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box, hostname="mail.test"), "127.0.0.1", 0)
    box.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield box
    finally:
        server.close()


async def until(condition: Callable[[], Awaitable[Any] | Any], what: str, seconds: float = 60.0) -> Any:
    """The condition's first true value."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.02)
    raise AssertionError(what)
