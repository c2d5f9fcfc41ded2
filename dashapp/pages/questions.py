"""What pages' scripts ask by POST: signed-in people only, from dashapp's own pages, answered as the API answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from dashapp.accounts.browser import same_origin
from dashapp.accounts.permissions import Action, Actor, require
from dashapp.contract.base import from_pydantic
from dashapp.errors import DashappError, Forbidden, Unauthorized
from dashapp.pages.visitor import visitor

if TYPE_CHECKING:
    from dashapp.services import Services

_LONGEST_BODY = 100_000
Asked = TypeVar("Asked", bound=BaseModel)


async def answer(
    request: Request, services: Services, action: Action, kind: type[Asked], work: Callable[[Asked], Awaitable[dict[str, Any]]]
) -> Response:
    """What `work` makes of the body, which is a `kind`, for somebody who may do `action`."""
    try:
        if not same_origin(request.headers, base_url=services.settings.base_url):
            raise Forbidden("this may only be asked by dashapp's own pages.")
        user = await visitor(request, services)
        if user is None:
            raise Unauthorized()
        require(Actor(user), action)
        body = {"data": await work(await _read(request, kind))}
        return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})
    except DashappError as error:
        failed = {"error": str(error), "code": error.code, "details": error.details}
        return Response(orjson.dumps(failed), error.status, media_type="application/json")


async def _read(request: Request, kind: type[Asked]) -> Asked:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            break
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise from_pydantic(error) from None
