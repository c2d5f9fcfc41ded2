"""Users, sign-in and tokens."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from dashapp.contract.base import NOT_BLANK, WHOLE, Id, Instant, Model, StorableModel

Role = Literal["viewer", "editor", "admin"]
Scope = Literal["ingest", "read", "write"]
_PART = r"[^@\s\x00-\x20\x7f-\xa0]+"
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=f"^{_PART}@{_PART}$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=1024)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), NOT_BLANK]


class User(Model):
    id: Id
    email: str
    role: Role
    created_at: Instant


class Account(User):
    """A user as admins see one."""

    disabled: bool = Field(description="Signs in no more; sessions are ended and tokens refused.")
    has_password: bool = Field(description="Without one, sign-in links are the way in.")
    last_seen_at: Instant | None = None
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
    expires_at: Instant


class PasswordChange(StorableModel):
    current: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="The present one; not needed where there is none."
    )
    new: Password


class Session(Model):
    """A browser that is signed in."""

    id: Id
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant = Field(description="When it ends unless it is used again.")
    ends_at: Instant | None = Field(description="When it ends in any case.")
    address: str
    user_agent: str
    current: bool = Field(description="The one that asks.")


class AuditEntry(Model):
    """One change."""

    id: int
    at: Instant
    actor_id: Id | None = None
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
    expires_in_days: Annotated[int, Field(ge=1, le=3650), WHOLE] | None = None


class Token(Model):
    id: Id
    name: str
    scope: Scope
    created_at: Instant
    expires_at: Instant | None = None
    last_used_at: Instant | None = None


class NewToken(Token):
    token: str = Field(description="Shown this once.")
