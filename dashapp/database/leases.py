"""Leases: which process leads a job. A row renewed by the database's clock, checked again before each commit.

Session advisory locks would fail behind a transaction pooler and linger for hours after a power loss.
"""

from __future__ import annotations

import os
import secrets
import socket

from dashapp.database.pool import Connection, Database

LEASE_SECONDS = 15


class LeaseLost(Exception):
    """Another process leads now; the transaction must not commit."""


class Lease:
    """One process's claim to the job `name`."""

    def __init__(self, database: Database, name: str) -> None:
        self.database, self.name = database, name
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.epoch: int | None = None

    async def renew(self) -> bool:
        """Take or keep the lease; True where this process leads."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO leases AS l (name, holder, epoch, expires_at)
                VALUES (%(name)s, %(holder)s, 1, clock_timestamp() + %(seconds)s * interval '1 second')
                ON CONFLICT (name) DO UPDATE SET
                    epoch = l.epoch + (l.holder <> EXCLUDED.holder)::int,
                    holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
                WHERE l.holder = EXCLUDED.holder OR l.expires_at < clock_timestamp()
                RETURNING epoch
                """,
                {"name": self.name, "holder": self.holder, "seconds": LEASE_SECONDS},
            )
            row = await cursor.fetchone()
        self.epoch = int(str(row["epoch"])) if row else None
        return self.epoch is not None

    async def check(self, connection: Connection) -> None:
        """Lock the lease's row in a job's transaction.

        Raises:
            LeaseLost: another process has taken over since `renew`.
        """
        cursor = await connection.execute(
            "SELECT 1 FROM leases WHERE name = %s AND holder = %s AND epoch = %s AND expires_at > clock_timestamp() FOR UPDATE",
            (self.name, self.holder, self.epoch),
        )
        if await cursor.fetchone() is None:
            raise LeaseLost(self.name)

    async def release(self) -> None:
        """Let another process take over at once."""
        async with self.database.connection() as connection:
            await connection.execute(
                "UPDATE leases SET expires_at = '-infinity' WHERE name = %s AND holder = %s", (self.name, self.holder)
            )
        self.epoch = None
