"""The audit log: a row a change, written in the transaction that makes the change, so that neither is without the other.

Who acts is told once, at the door (`acting`), and known to every store below it. A change that nobody announced is the
program's own: the command line's, or a job's.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from psycopg.types.json import Jsonb

from dashapp.database.pool import Connection
from dashapp.logs import request_id


@dataclass(frozen=True)
class Who:
    """Someone who changes things."""

    actor_id: UUID | None
    #: An e-mail, or what else acts.
    actor: str
    #: The token's name, where one is used.
    token: str | None = None
    #: The network address that the request came from.
    address: str = ""


PROGRAM = Who(None, "dashapp")
_who: ContextVar[Who] = ContextVar("who", default=PROGRAM)


def acting(who: Who) -> None:
    """From here on, in this task, changes are `who`'s."""
    _who.set(who)


def storable(text: str, most: int) -> str:
    """What a client sent, as text that the database takes."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[:most]


async def record(connection: Connection, action: str, target_id: object = "", target: str = "", **details: object) -> None:
    """Write down, in the caller's transaction, that `action` (``dashboard.change``) is done to something.

    `details` are JSON values and never secrets.
    """
    who = _who.get()
    await connection.execute(
        "INSERT INTO audit_log (actor_id, actor, token, address, request_id, action, target_id, target, details)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            who.actor_id, who.actor, who.token, storable(who.address, 64), request_id.get(),
            action, str(target_id), storable(target, 300), Jsonb(details),
        ),
    )  # fmt: skip
