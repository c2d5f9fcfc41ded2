"""Users, sign-in, sessions and tokens, over the tables of that name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import NamedTuple, cast
from uuid import UUID

from psycopg import errors as pg
from pydantic import TypeAdapter, ValidationError

from dashapp.accounts import passwords
from dashapp.accounts.recent import CHANNEL, Recent
from dashapp.accounts.secrets import digest, new_secret, new_token
from dashapp.accounts.throttle import Throttle
from dashapp.contract.accounts import (
    Email,
    NewToken,
    Password,
    PasswordChange,
    Role,
    Scope,
    Session,
    SigninLink,
    Token,
    TokenRequest,
    User,
)
from dashapp.contract.base import from_pydantic
from dashapp.database.audit import Who, acting, record, storable
from dashapp.database.notices import Notices, notify
from dashapp.database.pool import Connection, Database, Row
from dashapp.database.sql import load
from dashapp.errors import Conflict, NotFound, StartupError, Unauthorized, ValidationFailed

#: A session ends this long after it was last used, and this long after it was opened.
SESSION_IDLE = timedelta(days=30)
SESSION_LIFETIME = timedelta(days=90)
#: The least recently used session ends where a user opens more than so many; tokens beyond are refused.
MOST_SESSIONS = 50
MOST_TOKENS = 100
#: Uses of a session or token are written down at most this often.
WRITE_EVERY = timedelta(minutes=1)
#: The token that `dashapp up` makes for its own agent.
AGENT_TOKEN_NAME = "this host"
#: The token that `dashapp up` makes for the client and the commands of whoever may read its data directory.
LOCAL_TOKEN_NAME = "local tools"
_LONGEST_USER_AGENT = 300

_email: TypeAdapter[str] = TypeAdapter(Email)
_password: TypeAdapter[str] = TypeAdapter(Password)


class TokenUse(NamedTuple):
    """A valid token: whose it is and what it may."""

    user: User
    scope: Scope
    id: UUID
    name: str


def user_of(row: Row) -> User:
    return User.model_validate({key: row[key] for key in ("id", "email", "role", "created_at")})


def _checked(adapter: TypeAdapter[str], value: str, field: str) -> str:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise from_pydantic(error, prefix=field) from None


class Accounts:
    """The store of users and of everything that proves to be one. All methods may raise `Unavailable`."""

    def __init__(
        self, database: Database, *, idle: timedelta = SESSION_IDLE, lifetime: timedelta | None = SESSION_LIFETIME
    ) -> None:
        self._database, self._idle, self._lifetime = database, idle, lifetime
        self._sql = load("dashapp.accounts", "accounts.sql")
        self._throttle = Throttle()
        self._recent_sessions: Recent[User] = Recent()
        self._recent_tokens: Recent[TokenUse] = Recent()

    def listen(self, notices: Notices) -> None:
        """Hear at once what other processes take from somebody."""
        notices.listen(CHANNEL, lambda _: self._forget())

    def _forget(self) -> None:
        self._recent_sessions.forget()
        self._recent_tokens.forget()

    @asynccontextmanager
    async def taking(self) -> AsyncIterator[Connection]:
        """A transaction in which somebody may lose a session, a token or a right. Nobody is believed on what was known before."""
        try:
            async with self._database.connection() as connection:
                yield connection
                await notify(connection, CHANNEL, "changed")
        finally:
            self._forget()

    # -- users -------------------------------------------------------------------------------------------------

    async def ensure_admin(self, email: str, password: str | None) -> User:
        """The admin of this database: made at the first start, only found at later ones.

        A password given later changes nothing: whoever owns the account may have chosen another since.

        Raises:
            StartupError: e-mail or password can't be used.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(self._sql["any_admin"], {"email": email})).fetchone()
        if row:
            return user_of(row)
        try:
            email = _checked(_email, email, "DASHAPP_ADMIN_EMAIL")
            hashed = await passwords.hashed(_checked(_password, password, "DASHAPP_ADMIN_PASSWORD")) if password else None
        except ValidationFailed as error:
            raise StartupError(str(error)) from None
        async with self._database.connection() as connection:
            # Two processes may start at once: only one of them makes the admin.
            await connection.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
            row = await (await connection.execute(self._sql["any_admin"], {"email": email})).fetchone()
            if row is None:
                values = {"email": email, "password_hash": hashed, "role": "admin"}
                row = await (await connection.execute(self._sql["add_user"], values)).fetchone()
        if row is None:
            raise StartupError(f"DASHAPP_ADMIN_EMAIL: {email} is an account that is no admin, and there is no other admin.")
        return user_of(row)

    async def create_user(self, email: str, password: str | None, role: Role) -> User:
        """A new account; without a password it gets in by sign-in links only.

        Raises:
            ValidationFailed: e-mail or password can't be used.
            Conflict: the e-mail has an account already.
        """
        email = _checked(_email, email, "email")
        hashed = await passwords.hashed(_checked(_password, password, "password")) if password is not None else None
        async with self._database.connection() as connection:
            cursor = await connection.execute(self._sql["add_user"], {"email": email, "password_hash": hashed, "role": role})
            row = await cursor.fetchone()
            if row is None:
                raise Conflict(f"{email} has an account already.")
            await record(connection, "user.create", row["id"], email, role=role)
        return user_of(row)

    async def by_email(self, email: str) -> User | None:
        row = await self._with_hash(email)
        return user_of(row) if row else None

    async def by_id(self, user_id: UUID) -> User | None:
        """None where there is no such user, and where the account is closed."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(self._sql["open_user"], {"id": user_id})).fetchone()
        return user_of(row) if row else None

    async def _with_hash(self, email: str) -> Row | None:
        async with self._database.connection() as connection:
            return await (await connection.execute(self._sql["user_by_email"], {"email": email.strip()})).fetchone()

    # -- sign-in -----------------------------------------------------------------------------------------------

    async def login(self, email: str, password: str, *, address: str = "", user_agent: str = "") -> tuple[User, str]:
        """The user and a session's secret for the cookie.

        Raises:
            Unauthorized: no such account, or not its password; which of both isn't told.
            RateLimited: too many failed for this account from this address.
        """
        if not email.isprintable():
            raise Unauthorized("E-mail or password is wrong.")
        self._throttle.begin(email.strip(), address)
        row = await self._with_hash(email)
        stored = row["password_hash"] if row else None
        fits, fresh = await passwords.verify(None if stored is None else str(stored), password)
        # A closed account answers as one that never was.
        if row is None or not fits or row["disabled_at"] is not None:
            raise Unauthorized("E-mail or password is wrong.")
        self._throttle.succeeded(email.strip(), address)
        user = user_of(row)
        if fresh:
            async with self._database.connection() as connection:
                await connection.execute(self._sql["set_password_hash"], {"id": user.id, "password_hash": fresh})
        return await self._entered(user, "password", address, user_agent)

    async def open_session(self, user_id: UUID, *, address: str = "", user_agent: str = "", by: str = "", email: str = "") -> str:
        """A new session's secret. `by` says how somebody proved to be the user.

        Raises:
            NotFound: no such user.
        """
        secret = new_secret()
        values = {
            "id_hash": digest(secret), "user_id": user_id, "idle": self._idle, "lifetime": self._lifetime,
            "most": MOST_SESSIONS - 1,
            "address": storable(address, 64), "user_agent": storable(user_agent, _LONGEST_USER_AGENT),
        }  # fmt: skip
        try:
            async with self.taking() as connection:
                await connection.execute(self._sql["delete_expired"])
                await connection.execute(self._sql["delete_surplus_sessions"], values)
                await connection.execute(self._sql["add_session"], values)
                if by:
                    await record(connection, "session.open", user_id, email, by=by)
        except pg.ForeignKeyViolation:
            raise NotFound("There is no such user.") from None
        return secret

    async def signin_link(self, user_id: UUID, valid: timedelta = timedelta(hours=24)) -> str:
        """A one-time token for a link that signs `user_id` in.

        Raises:
            NotFound: no such user.
        """
        return (await self.new_signin_link(user_id, valid)).path.partition("=")[2]

    async def new_signin_link(self, user_id: UUID, valid: timedelta = timedelta(hours=24)) -> SigninLink:
        """A link that signs `user_id` in, once.

        Raises:
            NotFound: no such user.
        """
        token = new_secret()
        try:
            async with self._database.connection() as connection:
                values = {"token_hash": digest(token), "user_id": user_id, "valid": valid}
                row = await (await connection.execute(self._sql["add_signin_link"], values)).fetchone()
                await record(connection, "user.signin_link", user_id, str((row or {}).get("email", "")))
        except pg.ForeignKeyViolation:
            raise NotFound("There is no such user.") from None
        return SigninLink.model_validate({"path": f"/signin?token={token}", "expires_at": (row or {})["expires_at"]})

    async def redeem_link(self, token: str, *, address: str = "", user_agent: str = "") -> tuple[User, str]:
        """The user and a session's secret, for a sign-in link's token. It works once.

        Raises:
            Unauthorized: the link was used before, is too old, or never was one.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(self._sql["redeem_signin_link"], {"token_hash": digest(token)})).fetchone()
        if row is None:
            raise Unauthorized("This sign-in link was used before or has expired; sign in with your password or make a new link.")
        return await self._entered(user_of(row), "link", address, user_agent)

    async def vouched(self, email: str, role: Role | None, *, address: str = "", user_agent: str = "") -> tuple[User, str]:
        """The user and a session's secret, for an e-mail that a sign-in provider vouches for; `role` makes accounts.

        Raises:
            Unauthorized: there is no account and none is made, or it is closed.
        """
        email = _checked(_email, email, "email")
        row = await self._with_hash(email)
        if row is None and role is not None:
            acting(Who(None, "sign-in provider", address=address))
            with suppress(Conflict):  # of a second sign-in at the same time
                await self.create_user(email, None, role)
            row = await self._with_hash(email)
        if row is None:
            raise Unauthorized(f"There is no account for {email} here; an admin can make one.")
        if row["disabled_at"] is not None:
            raise Unauthorized(f"The account of {email} is closed; an admin can open it.")
        return await self._entered(user_of(row), "provider", address, user_agent)

    async def _entered(self, user: User, by: str, address: str, user_agent: str) -> tuple[User, str]:
        """The user, who acts from here on, and a session's secret."""
        acting(Who(user.id, user.email, address=address))
        return user, await self.open_session(user.id, address=address, user_agent=user_agent, by=by, email=user.email)

    # -- sessions ----------------------------------------------------------------------------------------------

    async def by_session(self, secret: str) -> User | None:
        """The user whose session this is, or None. Using a session prolongs it, up to its lifetime."""
        return (await self.by_sessions([secret])).get(secret)

    async def by_recent_session(self, secret: str) -> User | None:
        """As `by_session`, or as it was up to a second ago."""
        return await self._recent_sessions.of(digest(secret), lambda: self.by_session(secret))

    async def by_sessions(self, secrets: Collection[str]) -> dict[str, User]:
        """The users of those that are sessions still, at one asking."""
        hashes = {digest(secret): secret for secret in secrets}
        values = {"id_hashes": list(hashes), "idle": self._idle, "write_every": WRITE_EVERY}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["session_user"], values)).fetchall()
        return {hashes[cast(bytes, row["id_hash"])]: user_of(row) for row in rows}

    async def sessions(self, user: User, current: str = "") -> list[Session]:
        """The user's sessions, the last used first; `current` is the secret of the one that asks."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(self._sql["list_sessions"], {"user_id": user.id, "id_hash": digest(current)})
            return [Session.model_validate(row) for row in await cursor.fetchall()]

    async def logout(self, secret: str, *, address: str = "") -> None:
        """End a session; one that isn't any more is no error."""
        async with self.taking() as connection:
            row = await (await connection.execute(self._sql["delete_session"], {"id_hash": digest(secret)})).fetchone()
            if row is not None:
                user_id, email = UUID(str(row["id"])), str(row["email"])
                acting(Who(user_id, email, address=address))
                await record(connection, "session.end", user_id, email)

    async def end_session(self, user: User, session_id: UUID) -> None:
        """
        Raises:
            NotFound: the user has no such session.
        """
        async with self.taking() as connection:
            cursor = await connection.execute(self._sql["delete_session_by_id"], {"id": session_id, "user_id": user.id})
            if await cursor.fetchone() is None:
                raise NotFound("You have no such session.")
            await record(connection, "session.end", user.id, user.email)

    async def end_sessions(self, user: User, *, but: str | None = None) -> None:
        """End the user's sessions everywhere; `but` is the secret of one that stays."""
        async with self.taking() as connection:
            values = {"user_id": user.id, "except": None if but is None else digest(but)}
            await connection.execute(self._sql["delete_sessions"], values)
            await record(connection, "session.end_all", user.id, user.email)

    async def has_password(self, user: User) -> bool:
        async with self._database.connection() as connection:
            row = await (await connection.execute(self._sql["password_hash"], {"id": user.id})).fetchone()
        return row is not None and row["password_hash"] is not None

    async def change_password(self, user: User, change: PasswordChange, secret: str | None = None, *, address: str = "") -> None:
        """A new password. It ends all sessions but the one with this `secret`, and the sign-in links that nobody used yet.

        Raises:
            ValidationFailed: the present password is wrong.
            RateLimited: it was wrong too often.
        """
        self._throttle.begin(user.email, address)
        async with self._database.connection() as connection:
            row = await (await connection.execute(self._sql["password_hash"], {"id": user.id})).fetchone()
        if row is None:
            raise NotFound("There is no such user.")
        stored = row["password_hash"]
        if stored is not None and not (await passwords.verify(str(stored), change.current or ""))[0]:
            raise ValidationFailed(
                "current: this isn't the present password.", details={"current": "this isn't the present password"}
            )
        self._throttle.succeeded(user.email, address)
        fresh = await passwords.hashed(change.new)
        async with self.taking() as connection:
            await connection.execute(self._sql["set_password_hash"], {"id": user.id, "password_hash": fresh})
            await connection.execute(
                self._sql["delete_sessions"], {"user_id": user.id, "except": None if secret is None else digest(secret)}
            )
            await connection.execute(self._sql["delete_signin_links"], {"user_id": user.id})
            await record(connection, "user.password", user.id, user.email)

    # -- tokens ------------------------------------------------------------------------------------------------

    async def create_token(self, user: User, request: TokenRequest) -> NewToken:
        """A new token; its text is in the answer and nowhere else.

        Raises:
            Conflict: the user has too many.
        """
        return await self._add_token(user, request, replace=False)

    async def agent_token(self, user: User) -> str:
        """A fresh ingest token for the agent on this host, in place of the one that an earlier start made."""
        token = await self._add_token(user, TokenRequest(name=AGENT_TOKEN_NAME, scope="ingest"), replace=True)
        return token.token

    async def local_token(self, user: User) -> str:
        """A fresh token for the tools on this machine, in place of the one that an earlier start made."""
        token = await self._add_token(user, TokenRequest(name=LOCAL_TOKEN_NAME, scope="write"), replace=True)
        return token.token

    async def _add_token(self, user: User, request: TokenRequest, *, replace: bool) -> NewToken:
        token = new_token()
        valid = None if request.expires_in_days is None else timedelta(days=request.expires_in_days)
        values = {
            "user_id": user.id, "name": request.name, "scope": request.scope,
            "token_hash": digest(token), "valid": valid,
        }  # fmt: skip
        try:
            async with self.taking() as connection:
                if replace:
                    await connection.execute(self._sql["delete_tokens_named"], values)
                count = await (await connection.execute(self._sql["count_tokens"], values)).fetchone()
                if count and int(str(count["n"])) >= MOST_TOKENS:
                    raise Conflict(f"{user.email} has {MOST_TOKENS} tokens already; revoke some first.")
                row = await (await connection.execute(self._sql["add_token"], values)).fetchone()
                await record(connection, "token.create", (row or {}).get("id", ""), request.name, scope=request.scope)
        except pg.ForeignKeyViolation:
            raise NotFound("There is no such user.") from None
        return NewToken.model_validate({**(row or {}), "token": token})

    async def list_tokens(self, user: User) -> list[Token]:
        """The user's tokens, newest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(self._sql["list_tokens"], {"user_id": user.id})
            return [Token.model_validate(row) for row in await cursor.fetchall()]

    async def delete_token(self, user: User, token_id: UUID) -> None:
        """
        Raises:
            NotFound: the user has no such token.
        """
        async with self.taking() as connection:
            cursor = await connection.execute(self._sql["delete_token"], {"id": token_id, "user_id": user.id})
            row = await cursor.fetchone()
            if row is None:
                raise NotFound("You have no such token.")
            await record(connection, "token.delete", token_id, str(row["name"]))

    async def by_token(self, token: str) -> TokenUse | None:
        """The token's owner and its scope, or None where it is no token or has expired."""
        async with self._database.connection() as connection:
            values = {"token_hash": digest(token), "write_every": WRITE_EVERY}
            row = await (await connection.execute(self._sql["token_user"], values)).fetchone()
        if row is None:
            return None
        scope: Scope = row["scope"]  # type: ignore[assignment]
        return TokenUse(user_of(row), scope, UUID(str(row["token_id"])), str(row["token"]))

    async def by_recent_token(self, token: str) -> TokenUse | None:
        """As `by_token`, or as it was up to a second ago."""
        return await self._recent_tokens.of(digest(token), lambda: self.by_token(token))
