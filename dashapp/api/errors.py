"""Failure bodies: ``{"error", "code", "details"?}`` for everything that can go wrong, including what nobody foresaw."""

from __future__ import annotations

import logging
from typing import cast

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from dashapp.contract.base import Model, validation_failed
from dashapp.errors import DashappError, NotFound
from dashapp.logs import request_id

log = logging.getLogger(__name__)

#: Seconds in ``Retry-After`` where an error doesn't know better; every 429 and 503 carries one.
_RETRY_AFTER = 2
_HTTP_CODES = {400: "VALIDATION_ERROR", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}
_HTTP_SENTENCES = {404: "There is nothing at this address.", 405: "This address doesn't take that method."}
#: What a 500 says. The rest is in the log, under the id that the answer carries in ``X-Request-Id``.
INTERNAL = "Something went wrong inside dashapp; its log says what, under this answer's request id."


class Failure(Model):
    """What every failure looks like."""

    error: str = Field(description="One sentence.")
    code: str = Field(description="Machine-readable, such as `VALIDATION_ERROR`.")
    details: dict[str, str] | None = Field(default=None, description="Field path to message, such as `points.17.value`.")


def failure(error: DashappError) -> dict[str, object]:
    """An error as the body that tells of it."""
    body: dict[str, object] = {"error": str(error), "code": error.code}
    if error.details:
        body["details"] = error.details
    return body


def respond(error: DashappError) -> Response:
    headers = {}
    if error.status in (429, 503) or error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after or _RETRY_AFTER)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(error.status, failure(error), headers)


def _response(status: int, body: dict[str, object], headers: dict[str, str]) -> Response:
    # A message may quote what was sent; bytes that are no text must not turn a 400 into a 500.
    try:
        content = orjson.dumps(body)
    except orjson.JSONEncodeError:
        content = orjson.dumps({"error": ascii(body["error"]), "code": body["code"]})
    return Response(content, status_code=status, media_type="application/json", headers=headers)


async def _on_dashapp_error(request: Request, error: Exception) -> Response:
    error = cast(DashappError, error)
    if error.status >= 500:
        log.warning("request %s: %s %s: %s", request_id.get(), request.method, request.url.path, error, exc_info=error)
    return respond(error)


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    errors = cast(RequestValidationError, error).errors()
    if any(part["loc"][0] == "path" for part in errors):
        return respond(NotFound())  # a name that can't be one names nothing, whatever else is wrong
    return respond(validation_failed({**part, "loc": part["loc"][1:]} for part in errors if part["loc"][0] != "path"))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    code = _HTTP_CODES.get(error.status_code, "INTERNAL_ERROR" if error.status_code >= 500 else "VALIDATION_ERROR")
    sentence = _HTTP_SENTENCES.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return _response(error.status_code, {"error": sentence, "code": code}, headers)


def _methods(request: Request) -> set[str]:
    """What this address takes. The framework names the methods of one of its routes only."""
    routers = request.app.state.routers
    found = [route for router in routers for route in router.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in found for method in route.methods}


def internal_error(scope: Scope) -> Response:
    """The 500 for the exception that is being handled, which it logs."""
    log.exception("request %s: %s %s failed", request_id.get(), scope.get("method"), scope.get("path"))
    return _response(500, {"error": INTERNAL, "code": "INTERNAL_ERROR"}, {})


def install(app: FastAPI) -> None:
    app.add_exception_handler(DashappError, _on_dashapp_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
