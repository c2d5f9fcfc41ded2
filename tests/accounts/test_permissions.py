from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args
from uuid import UUID, uuid4

import pytest

from dashapp.accounts.permissions import RULES, Action, Actor, allowed, require, required
from dashapp.contract.accounts import Role, Scope, User
from dashapp.errors import Forbidden, NotFound

READ: set[Action] = {"metrics.read", "dashboard.read", "alert.read", "account.read"}
ADMINS: set[Action] = {"report.file", "users.read", "users.manage", "audit.read"}


@dataclass
class Thing:
    owner_id: UUID
    is_public: bool


def someone(role: Role) -> User:
    return User(id=uuid4(), email=f"{role}@example.org", role=role, created_at=datetime.now(UTC))


def test_every_action_has_a_rule() -> None:
    assert set(RULES) == set(get_args(Action))


@pytest.mark.parametrize(
    ("role", "scope", "may"),
    [
        ("viewer", None, READ | {"account.change", "account.secure"}),
        ("viewer", "ingest", set()),
        ("viewer", "read", READ),
        ("viewer", "write", READ | {"account.change"}),
        ("editor", None, set(RULES) - ADMINS),
        ("editor", "ingest", {"metrics.send"}),
        ("editor", "read", READ),
        ("editor", "write", set(RULES) - ADMINS - {"account.secure"}),
        ("admin", None, set(RULES)),
        ("admin", "ingest", {"metrics.send"}),
        ("admin", "read", READ | {"users.read", "audit.read"}),
        ("admin", "write", set(RULES) - {"account.secure"}),
    ],
)
def test_roles_and_scopes(role: Role, scope: Scope | None, may: set[Action]) -> None:
    actor = Actor(someone(role), scope)
    assert {action for action in RULES if allowed(actor, action)} == may


@pytest.mark.parametrize(
    ("role", "owns", "public", "reading", "changing"),
    [
        ("viewer", False, False, NotFound, NotFound),
        ("viewer", False, True, None, Forbidden),
        ("viewer", True, False, None, Forbidden),
        ("editor", False, False, NotFound, NotFound),
        ("editor", False, True, None, Forbidden),
        ("editor", True, False, None, None),
        ("admin", False, False, None, None),
    ],
)
def test_ownership(role: Role, owns: bool, public: bool, reading: type | None, changing: type | None) -> None:
    user = someone(role)
    thing = Thing(user.id if owns else uuid4(), public)
    for action, error in (("dashboard.read", reading), ("dashboard.change", changing)):
        assert allowed(Actor(user), action, thing) is (error is None)  # type: ignore[arg-type]
        if error:
            with pytest.raises(error):
                require(Actor(user), action, thing)  # type: ignore[arg-type]


async def test_a_scope_refuses_before_anything_is_looked_up() -> None:
    hidden, asked = Thing(uuid4(), False), []

    async def look_up(key: UUID) -> Thing:
        asked.append(key)
        return hidden

    with pytest.raises(Forbidden, match="scope `ingest`"):
        await required(Actor(someone("admin"), "ingest"), "dashboard.change", look_up, uuid4())
    assert asked == []
    with pytest.raises(NotFound):
        await required(Actor(someone("viewer")), "dashboard.change", look_up, uuid4())
    assert await required(Actor(someone("admin")), "dashboard.change", look_up, uuid4()) is hidden
    assert len(asked) == 2
