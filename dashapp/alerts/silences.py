"""Silences: who asked for quiet, about what, until when and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from dashapp.contract.accounts import User
from dashapp.contract.alerts import Silence, SilenceRequest
from dashapp.database import sql
from dashapp.database.audit import record
from dashapp.database.pool import Database, Row
from dashapp.errors import NotFound, ValidationFailed

_SQL = sql.load("dashapp.alerts", "silences.sql")


def _silence(row: Row) -> Silence:
    fields: dict[str, Any] = {name: row[name] for name in Silence.model_fields}
    return Silence(**fields)


class Silences:
    """All silences. All methods may raise `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(self, *, expired: bool = False, page: int = 1, page_size: int = 50) -> tuple[list[Silence], int]:
        """A page (from 1) of silences, newest first, and how many there are; `expired`: also those that have ended."""
        values = {"expired": expired, "limit": page_size, "offset": (page - 1) * page_size}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list"], values)).fetchall()
            if not rows and page > 1:
                first = await (await connection.execute(_SQL["list"], values | {"limit": 1, "offset": 0})).fetchone()
                return [], int(str(first["total"])) if first else 0
        return [_silence(row) for row in rows], int(str(rows[0]["total"])) if rows else 0

    async def get(self, silence_id: UUID) -> Silence:
        """
        Raises:
            NotFound: there is none.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["get"], {"id": silence_id})).fetchone()
        if row is None:
            raise NotFound()
        return _silence(row)

    async def create(self, user: User, request: SilenceRequest) -> Silence:
        """
        Raises:
            ValidationFailed: there is no such rule.
        """
        values = request.model_dump() | {"tags": Jsonb(request.tags), "owner_id": user.id, "created_by": user.email}
        try:
            async with self._database.connection() as connection:
                row = await (await connection.execute(_SQL["add"], values)).fetchone()
                assert row is not None
                await record(connection, "silence.create", row["id"], request.reason, until=request.ends_at.isoformat())
        except pg.ForeignKeyViolation:
            raise ValidationFailed("ruleId: there is no such rule.", details={"ruleId": "there is no such rule"}) from None
        return await self.get(UUID(str(row["id"])))

    async def delete(self, silence_id: UUID) -> None:
        """End a silence; what still fires is told then.

        Raises:
            NotFound: there is none.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["delete"], {"id": silence_id})).fetchone()
            if row is None:
                raise NotFound()
            await record(connection, "silence.delete", silence_id, str(row["reason"]))
