"""Users, sign-in and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from dashapp.contract.base import Model, StorableModel

Role = Literal["viewer", "editor", "admin"]
Scope = Literal["ingest", "read", "write"]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=1024)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class User(Model):
    id: UUID
    email: str
    role: Role
    created_at: datetime


class Account(User):
    """A user as admins see one."""

    disabled: bool = Field(description="Signs in no more; sessions are ended and tokens refused.")
    has_password: bool = Field(description="Without one, sign-in links are the way in.")
    last_seen_at: datetime | None = None
    dashboards: int = Field(description="How many the user owns.")
    tokens: int


class NewUser(StorableModel):
    email: Email
    role: Role = "viewer"
    password: Password | None = Field(default=None, description="Without one, hand over a sign-in link.")


class UserUpdate(StorableModel):
    """What is given changes."""

    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = Field(
        default=None, description="Set a new one; an explicit null removes it. Both end all sessions."
    )


class SigninLink(Model):
    path: str = Field(description="Address below the server's own; works once.")
    expires_at: datetime


class PasswordChange(StorableModel):
    current: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="The present one; not needed where there is none."
    )
    new: Password


class Session(Model):
    """A browser that is signed in."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime = Field(description="When it ends unless it is used again.")
    ends_at: datetime | None = Field(description="When it ends in any case.")
    address: str
    user_agent: str
    current: bool = Field(description="The one that asks.")


class AuditEntry(Model):
    """One change."""

    id: int
    at: datetime
    actor_id: UUID | None = None
    actor: str = Field(description="An e-mail, or `dashapp` for the command line and jobs.")
    token: str | None = Field(default=None, description="The name of the token, where one was used.")
    address: str
    request_id: str
    action: str = Field(description="Such as `dashboard.change`.")
    target_id: str
    target: str
    details: dict[str, Any]


class Login(StorableModel):
    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)]
    password: Annotated[str, StringConstraints(max_length=1024)]


class TokenRequest(StorableModel):
    name: Name
    scope: Scope = Field(description="`ingest` only sends metrics, `read` only reads, `write` does what its owner may.")
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class Token(Model):
    id: UUID
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class NewToken(Token):
    token: str = Field(description="Shown this once.")
