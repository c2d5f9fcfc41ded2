"""``dashapp user`` and ``dashapp token``: accounts from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from dashapp.cli.where import DataDir, with_database
from dashapp.errors import NotFound, StartupError

if TYPE_CHECKING:
    from dashapp.contract.accounts import Account, NewToken, Role, Scope, User
    from dashapp.database.pool import Database

users = typer.Typer(help="Accounts.", no_args_is_help=True)
tokens = typer.Typer(help="API tokens.", no_args_is_help=True)


@users.callback()
def _users() -> None:
    """Accounts."""


@tokens.callback()
def _tokens() -> None:
    """API tokens."""


@users.command("add")
def add(
    email: Annotated[str, typer.Argument(help="The account's e-mail.")],
    role: Annotated[str, typer.Option("--role", help="viewer, editor or admin.")] = "viewer",
    password: Annotated[
        str,
        typer.Option(
            "--password",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            envvar="DASHAPP_NEW_PASSWORD",
            help="Asked for unless given.",
        ),
    ] = "",
    data_dir: DataDir = None,
) -> None:
    """Make an account."""
    if role not in ("viewer", "editor", "admin"):
        raise StartupError(f"--role: {role!r} is no role; take viewer, editor or admin.")

    from dashapp.accounts.accounts import Accounts
    from dashapp.settings import load

    async def work(database: Database) -> User:
        return await Accounts(database).create_user(email, password, cast("Role", role))

    user = with_database(load(data_dir=data_dir), work)
    typer.echo(f"{user.email} is {user.role}.")


def _change(email: str, data_dir: Path | None, **change: str) -> Account:
    """
    Raises:
        NotFound: there is no such account.
        ValidationFailed: the change breaks the contract.
        Conflict: no admin would be left.
    """
    from pydantic import ValidationError

    from dashapp.accounts.accounts import Accounts
    from dashapp.accounts.users import Users
    from dashapp.contract.accounts import UserUpdate
    from dashapp.contract.base import from_pydantic
    from dashapp.settings import load

    try:
        update = UserUpdate.model_validate(change)
    except ValidationError as error:
        raise from_pydantic(error) from None

    async def work(database: Database) -> Account:
        accounts = Accounts(database)
        user = await accounts.by_email(email)
        if user is None:
            raise NotFound(f"there is no account {email!r}.")
        return await Users(database, accounts).update(None, user.id, update)

    return with_database(load(data_dir=data_dir), work)


@users.command("password")
def password(
    email: Annotated[str, typer.Argument(help="The account's e-mail.")],
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the new one from the standard input.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Set an account's password. It ends all of the account's sessions."""
    if stdin:
        fresh = sys.stdin.readline().rstrip("\r\n")
    else:
        fresh = os.environ.get("DASHAPP_NEW_PASSWORD") or str(
            typer.prompt("New password", hide_input=True, confirmation_prompt=True)
        )
    account = _change(email, data_dir, password=fresh)
    typer.echo(f"{account.email} has a new password; its sessions are ended.")


@users.command("role")
def role(
    email: Annotated[str, typer.Argument(help="The account's e-mail.")],
    role: Annotated[str, typer.Argument(help="viewer, editor or admin.")],
    data_dir: DataDir = None,
) -> None:
    """Change what an account may do, at once."""
    if role not in ("viewer", "editor", "admin"):
        raise StartupError(f"{role!r} is no role; take viewer, editor or admin.")
    account = _change(email, data_dir, role=role)
    typer.echo(f"{account.email} is {account.role}.")


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    scope: Annotated[str, typer.Option("--scope", help="ingest, read or write.")] = "ingest",
    email: Annotated[
        str | None, typer.Option("--user", help="Whose it is; DASHAPP_ADMIN_EMAIL's unless set.", show_default=False)
    ] = None,
    expires_in_days: Annotated[int | None, typer.Option("--expires-in-days", help="Never, unless set.", show_default=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Make an API token and print it, this once."""
    if scope not in ("ingest", "read", "write"):
        raise StartupError(f"--scope: {scope!r} is no scope; take ingest, read or write.")
    from dashapp.accounts.accounts import Accounts
    from dashapp.contract.accounts import TokenRequest
    from dashapp.settings import load

    settings = load(data_dir=data_dir)

    async def work(database: Database) -> NewToken:
        accounts = Accounts(database)
        owner = email or settings.admin_email
        user = await accounts.by_email(owner)
        if user is None:
            raise NotFound(f"there is no account {owner!r}; name another with --user.")
        return await accounts.create_token(
            user, TokenRequest(name=name, scope=cast("Scope", scope), expires_in_days=expires_in_days)
        )

    typer.echo(with_database(settings, work).token)
