"""Who may do what: the one place that decides it, for the API and the pages alike.

Roles: ``viewer`` sees public dashboards, all metrics, alert rules and their events; ``editor`` also makes dashboards and
rules, changes their own and sends metrics; ``admin`` changes everything. A token acts as its owner, narrowed by its scope.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar
from uuid import UUID

from dashapp.contract.accounts import Role, Scope, User
from dashapp.errors import Forbidden, NotFound

Action = Literal[
    "metrics.send", "metrics.read", "metrics.describe",
    "dashboard.read", "dashboard.create", "dashboard.change", "report.file",
    "alert.read", "alert.create", "alert.change",
    "account.read", "account.change", "account.secure", "users.read", "users.manage", "audit.read",
]  # fmt: skip


class Owned(Protocol):
    """What belongs to someone: a `Dashboard` or its summary, a `Rule`, a `Silence`."""

    @property
    def owner_id(self) -> UUID | None: ...
    @property
    def is_public(self) -> bool: ...


@dataclass(frozen=True)
class Actor:
    """Someone who asks for something."""

    user: User
    #: The token's scope; None for a person who signed in.
    scope: Scope | None = None
    #: The token's id and name, where one is used.
    token_id: UUID | None = None
    token: str | None = None

    @property
    def is_admin(self) -> bool:
        return self.user.role == "admin"


@dataclass(frozen=True)
class _Rule:
    #: The least role that may.
    role: Role
    #: Token scopes that may; a signed-in person has none and isn't narrowed.
    scopes: frozenset[Scope]
    #: "to …" in the refusal's sentence.
    purpose: str


_RANK: dict[Role, int] = {"viewer": 0, "editor": 1, "admin": 2}
_READING: frozenset[Scope] = frozenset({"read", "write"})
_WRITING: frozenset[Scope] = frozenset({"write"})

RULES: dict[Action, _Rule] = {
    "metrics.send": _Rule("editor", frozenset({"ingest", "write"}), "send metrics"),
    "metrics.read": _Rule("viewer", _READING, "read metrics"),
    "metrics.describe": _Rule("editor", _WRITING, "describe metrics"),
    "dashboard.read": _Rule("viewer", _READING, "see dashboards"),
    "dashboard.create": _Rule("editor", _WRITING, "make dashboards"),
    "dashboard.change": _Rule("editor", _WRITING, "change dashboards"),
    "report.file": _Rule("admin", _WRITING, "let reports write into a folder"),
    "alert.read": _Rule("viewer", _READING, "see alert rules"),
    "alert.create": _Rule("editor", _WRITING, "make alert rules"),
    "alert.change": _Rule("editor", _WRITING, "change alert rules"),
    "account.read": _Rule("viewer", _READING, "see an account"),
    "account.change": _Rule("viewer", _WRITING, "change an account"),
    # No token touches what lets a person in: a leaked one must not become an account.
    "account.secure": _Rule("viewer", frozenset(), "touch sessions and passwords"),
    "users.read": _Rule("admin", _READING, "see users"),
    "users.manage": _Rule("admin", _WRITING, "manage users"),
    "audit.read": _Rule("admin", _READING, "read the audit log"),
}


def visible(actor: Actor, resource: Owned) -> bool:
    """Whether the actor may know that `resource` exists."""
    return resource.is_public or resource.owner_id == actor.user.id or actor.is_admin


def _refusal(actor: Actor, action: Action, resource: Owned | None) -> Forbidden | NotFound | None:
    rule = RULES[action]
    # The scope comes first: it refuses without telling whether the thing exists.
    if actor.scope is not None and actor.scope not in rule.scopes:
        needed = " or ".join(f"`{scope}`" for scope in sorted(rule.scopes))
        needed = needed or "a person who signed in"
        return Forbidden(f"A token with scope `{actor.scope}` isn't allowed to {rule.purpose}; that takes {needed}.")
    if resource is not None and not visible(actor, resource):
        return NotFound()
    if _RANK[actor.user.role] < _RANK[rule.role]:
        return Forbidden(f"Your role {actor.user.role!r} isn't allowed to {rule.purpose}; that takes {rule.role!r}.")
    if resource is not None and not action.endswith(".read") and resource.owner_id != actor.user.id and not actor.is_admin:
        return Forbidden(f"Only its owner and admins change this {action.partition('.')[0]}.")
    return None


def allowed(actor: Actor, action: Action, resource: Owned | None = None) -> bool:
    """Whether the actor may do this, to this thing; without a thing, whether to any at all."""
    return _refusal(actor, action, resource) is None


def require(actor: Actor, action: Action, resource: Owned | None = None) -> None:
    """
    Raises:
        Forbidden: the actor may not do this.
        NotFound: the actor may not even know that the thing exists.
    """
    refusal = _refusal(actor, action, resource)
    if refusal is not None:
        raise refusal


Thing = TypeVar("Thing", bound=Owned)


async def required(actor: Actor, action: Action, look_up: Callable[[UUID], Awaitable[Thing]], key: UUID) -> Thing:
    """The thing that `look_up` finds, where the actor may do this to it.

    The scope is judged before, for a lookup that fails is told.

    Raises:
        Forbidden: the actor may not do this.
        NotFound: there is no such thing, or the actor may not know of it.
    """
    if actor.scope is not None and actor.scope not in RULES[action].scopes:
        require(actor, action)
    found = await look_up(key)
    require(actor, action, found)
    return found
