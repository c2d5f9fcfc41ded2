"""Bodies: bounded before they are read whole, then parsed as strict JSON, whatever their content type says.

A body of another content type is JSON all the same (``curl -d`` says it sends a form); that no foreign page uses this
to get around a preflight is `dashapp.api.identity`'s care.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from dashapp.api import identity
from dashapp.errors import PayloadTooLarge, ValidationFailed

#: Bytes a body may have.
LIMIT = 5 * 1024 * 1024
#: How zlib is told what it unpacks.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
#: Packed bodies that may be joined to one.
_MEMBERS = 100
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {LIMIT // 1024 // 1024} MiB; send it in parts.")


async def receive(request: Request) -> AsyncIterator[bytes]:
    """The body in parts, as it was sent.

    Raises:
        PayloadTooLarge: it is longer than the limit, or says so.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > LIMIT:
        raise _too_large()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LIMIT:
            raise _too_large()
        yield chunk


async def read(request: Request) -> bytes:
    """The whole body, unpacked where it came as gzip or deflate.

    Raises:
        PayloadTooLarge: it is longer than the limit, packed or unpacked.
        ValidationFailed: it isn't what its Content-Encoding says, or that is unknown.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return b"".join([chunk async for chunk in receive(request)])
    if encoding not in _WINDOW_BITS:
        raise _undecodable(f"{encoding!r} isn't understood; send gzip, deflate or the plain body")
    unpacked, size, members = [], 0, 1
    packed = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        async for chunk in receive(request):
            while chunk:
                if packed.eof:  # gzip files may be joined
                    members += 1
                    if members > _MEMBERS:
                        raise _undecodable(f"the body is more than {_MEMBERS} {encoding} bodies in a row")
                    packed = zlib.decompressobj(_WINDOW_BITS[encoding])
                unpacked.append(packed.decompress(chunk, LIMIT - size + 1))
                size += len(unpacked[-1])
                if size > LIMIT:
                    raise _too_large()
                chunk = packed.unconsumed_tail or packed.unused_data
    except zlib.error:
        raise _undecodable(f"the body isn't {encoding}") from None
    if not packed.eof:
        raise _undecodable("the body is cut off")
    return b"".join(unpacked)


def _undecodable(why: str) -> ValidationFailed:
    return ValidationFailed(f"Content-Encoding: {why}.", details={"Content-Encoding": why})


def parse(raw: bytes) -> Any:
    """The body's JSON. orjson refuses NaN, infinities, lone surrogates, broken UTF-8 and nesting beyond reason.

    Raises:
        ValidationFailed: it is none.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ValidationFailed(f"The body is no valid JSON: {error}.", details={"body": str(error)}) from None


class _ParsedRequest(Request):
    """A request whose body was read and parsed already."""

    def __init__(self, request: Request, raw: bytes, document: Any) -> None:
        headers = [(key, value) for key, value in request.scope["headers"] if key != b"content-type"]
        super().__init__({**request.scope, "headers": [*headers, (b"content-type", b"application/json")]}, request.receive)
        self._raw, self._document = raw, document

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._document


class PublicRoute(APIRoute):
    """A route that anyone may call. Where it takes a model, its body is bounded and parsed here."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def with_body(request: Request) -> Response:
            await self.admit(request)
            if takes_body:
                raw = await read(request)
                request = _ParsedRequest(request, raw, parse(raw) if raw else None)
            return await handle(request)

        return with_body

    async def admit(self, request: Request) -> None:
        """Who may come in; before any byte of the body is read."""
        identity.refuse_foreign_page(request)


class SignedInRoute(PublicRoute):
    """A route for those who have signed in or send a token."""

    async def admit(self, request: Request) -> None:
        await identity.identify(request)
