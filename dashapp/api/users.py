"""What admins do with accounts, and the audit log."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator

from dashapp.accounts.permissions import require
from dashapp.accounts.users import Fate
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed
from dashapp.api.paging import Page, Paged
from dashapp.contract.accounts import Account, AuditEntry, NewUser, SigninLink, UserUpdate
from dashapp.contract.base import storable

router = APIRouter(tags=["Users"], route_class=SignedInRoute)

_Filter = Annotated[str | None, Query(max_length=300), AfterValidator(storable)]


@router.get("/users", response_model=Data[list[Account]])
async def list_users(actor: Signed, services: Parts) -> Response:
    """Everybody, by e-mail."""
    require(actor, "users.read")
    return data(await services.users.everybody())


@router.post("/users", status_code=201, response_model=Data[Account])
async def create_user(actor: Signed, body: NewUser, services: Parts) -> Response:
    """Make an account. Without a password, hand over a sign-in link."""
    require(actor, "users.manage")
    return data(await services.users.create(body), status=201)


@router.put("/users/{user_id:uuid}", response_model=Data[Account])
async def update_user(actor: Signed, user_id: UUID, body: UserUpdate, services: Parts) -> Response:
    """Change what is given. A new role counts at once; `disabled` and `password` end the user's sessions."""
    require(actor, "users.manage")
    return data(await services.users.update(actor.user, user_id, body))


@router.delete("/users/{user_id:uuid}", status_code=204)
async def delete_user(
    actor: Signed,
    user_id: UUID,
    services: Parts,
    dashboards: Annotated[Fate, Query(description="`keep` makes their dashboards yours, `delete` deletes them.")] = "keep",
) -> Response:
    """Delete an account with its sessions and tokens. Its alert rules become yours in any case."""
    require(actor, "users.manage")
    await services.users.delete(actor.user, user_id, dashboards)
    return nothing()


@router.post("/users/{user_id:uuid}/signin-link", status_code=201, response_model=Data[SigninLink])
async def create_signin_link(actor: Signed, user_id: UUID, services: Parts) -> Response:
    """A link that signs the user in, once and within a day: for whoever is new or has forgotten the password."""
    require(actor, "users.manage")
    return data(await services.accounts.new_signin_link(user_id), status=201)


@router.get("/audit", response_model=Page[AuditEntry])
async def read_audit(
    actor: Signed,
    services: Parts,
    paging: Paged,
    by: Annotated[_Filter, Query(description="An e-mail.")] = None,
    action: Annotated[_Filter, Query(description="Such as `dashboard.change`.")] = None,
    target_id: Annotated[_Filter, Query(alias="targetId", description="The id of what was changed.")] = None,
) -> Response:
    """Who changed what, newest first."""
    require(actor, "audit.read")
    return paging.answer(*await services.users.audit(paging.page, paging.page_size, actor=by, action=action, target_id=target_id))
