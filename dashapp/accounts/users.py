"""What admins do with accounts: see them, change them, close them; and what the audit log says."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from dashapp.accounts import passwords
from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import Account, AuditEntry, NewUser, User, UserUpdate
from dashapp.database.audit import record
from dashapp.database.pool import Connection, Database
from dashapp.database.sql import load
from dashapp.errors import Conflict, NotFound

#: What becomes of the dashboards of a deleted user.
Fate = Literal["keep", "delete"]


class Users:
    """The store as admins use it. All methods may raise `Unavailable`; those with an id raise `NotFound` where nobody has it."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database, self._accounts = database, accounts
        self._sql = load("dashapp.accounts", "users.sql") | load("dashapp.accounts", "accounts.sql")

    async def everybody(self) -> list[Account]:
        """Everybody, by e-mail."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["accounts"], {"id": None})).fetchall()
        return [Account.model_validate(row) for row in rows]

    async def create(self, request: NewUser) -> Account:
        """
        Raises:
            Conflict: the e-mail has an account already.
        """
        user = await self._accounts.create_user(request.email, request.password, request.role)
        async with self._database.connection() as connection:
            return await self._account(connection, user.id)

    async def update(self, by: User | None, user_id: UUID, update: UserUpdate) -> Account:
        """Change what is given. Closing an account and setting its password end its sessions at once.

        Raises:
            Conflict: no admin would be left, or an admin would close or demote the own account.
        """
        given = update.model_fields_set
        hashed = await passwords.hashed(update.password) if update.password is not None else None
        values = {
            "id": user_id, "role": update.role, "disabled": update.disabled,
            "set_password": "password" in given, "password_hash": hashed, "except": None, "user_id": user_id,
        }  # fmt: skip
        if by is not None and by.id == user_id and (update.disabled or update.role not in (None, by.role)):
            raise Conflict("You can't close your own account or change its role; another admin can.")
        async with self._accounts.taking() as connection:
            await connection.execute(self._sql["lock_users"])
            if await (await connection.execute(self._sql["change_user"], values)).fetchone() is None:
                raise NotFound("There is no such user.")
            await self._keep_an_admin(connection)
            if "password" in given or update.disabled:
                await connection.execute(self._sql["delete_sessions"], values)
                await connection.execute(self._sql["delete_signin_links"], values)
            account = await self._account(connection, user_id)
            changed = update.model_dump(exclude={"password"}, exclude_none=True) | (
                {"password": True} if "password" in given else {}
            )
            await record(connection, "user.change", user_id, account.email, **changed)
            return account

    async def delete(self, by: User, user_id: UUID, dashboards: Fate) -> None:
        """Delete an account with its sessions and tokens; its dashboards and rules go to `by`, or its dashboards with it.

        Raises:
            Conflict: it is the own account, or no admin would be left.
        """
        if by.id == user_id:
            raise Conflict("You can't delete your own account; another admin can.")
        values = {"id": user_id, "to": by.id}
        async with self._accounts.taking() as connection:
            await connection.execute(self._sql["lock_users"])
            if dashboards == "delete":
                await connection.execute(self._sql["delete_dashboards"], values)
            else:
                await connection.execute(self._sql["give_dashboards"], values)
            await connection.execute(self._sql["give_rules"], values)
            row = await (await connection.execute(self._sql["delete_user"], values)).fetchone()
            if row is None:
                raise NotFound("There is no such user.")
            await self._keep_an_admin(connection)
            await record(connection, "user.delete", user_id, str(row["email"]), dashboards=dashboards)

    async def audit(
        self, page: int, page_size: int, *, actor: str | None = None, action: str | None = None, target_id: str | None = None
    ) -> tuple[list[AuditEntry], int]:
        """A page (from 1) of the audit log, newest first, and how many entries there are in all."""
        values = {
            "limit": page_size, "offset": (page - 1) * page_size, "actor": actor, "action": action, "target_id": target_id
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["audit_entries"], values)).fetchall()
            count = await (await connection.execute(self._sql["count_audit_entries"], values)).fetchone()
        return [AuditEntry.model_validate(row) for row in rows], int(str(count["total"])) if count else 0

    async def _account(self, connection: Connection, user_id: UUID) -> Account:
        row = await (await connection.execute(self._sql["accounts"], {"id": user_id})).fetchone()
        if row is None:
            raise NotFound("There is no such user.")
        return Account.model_validate(row)

    async def _keep_an_admin(self, connection: Connection) -> None:
        row = await (await connection.execute(self._sql["count_admins"])).fetchone()
        if row is None or row["n"] == 0:
            raise Conflict("This is the only admin; make another one first.")
