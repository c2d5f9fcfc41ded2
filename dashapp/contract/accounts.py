"""Users, sign-in and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
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
