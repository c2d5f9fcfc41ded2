"""The storage tier: chosen once, by the first migration, by what the server can do. It never flips.

Only TimescaleDB's community licence (``timescale``) has continuous aggregates and the columnstore; its Apache edition is
plain PostgreSQL to dashapp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from dashapp.database.pool import Database
from dashapp.errors import StartupError

POSTGRES, TIMESCALEDB = "postgres", "timescaledb"
EXTENSION = "timescaledb"
#: The first release that speaks of the columnstore.
OLDEST = (2, 18)


@dataclass(frozen=True)
class Installed:
    """The extension as this database has it."""

    version: str
    #: ``timescale``, ``apache``, or None where the server doesn't load the extension any more.
    licence: str | None

    @property
    def capable(self) -> bool:
        return self.licence == "timescale"

    @property
    def new_enough(self) -> bool:
        return tuple(int(number) for number in re.findall(r"\d+", self.version)[:2]) >= OLDEST


def installed(connection: sa.Connection) -> Installed | None:
    """TimescaleDB as it is in this database, or None."""
    row = connection.execute(
        sa.text("SELECT extversion, current_setting('timescaledb.license', true) FROM pg_extension WHERE extname = :name"),
        {"name": EXTENSION},
    ).one_or_none()
    return Installed(str(row[0]), row[1]) if row else None


def choose(connection: sa.Connection) -> str:
    """The tier of an empty database, in its first migration's transaction. Makes the extension where the server offers it.

    Raises:
        StartupError: the database has TimescaleDB, but one that is too old.
    """
    found = installed(connection)
    if found is None and _offered(connection):
        attempt = connection.begin_nested()
        try:
            connection.execute(sa.text("CREATE EXTENSION timescaledb"))
            found = installed(connection)
        except sa.exc.DBAPIError:  # this user may not; then the server is plain PostgreSQL to it
            pass
        if found is None or not (found.capable and found.new_enough):
            attempt.rollback()
            return POSTGRES
    if found is None or not found.capable:
        return POSTGRES
    if not found.new_enough:
        raise StartupError(
            f"the database has TimescaleDB {found.version}, and dashapp needs {OLDEST[0]}.{OLDEST[1]} or newer; "
            f"run ALTER EXTENSION timescaledb UPDATE, or DROP EXTENSION timescaledb to store samples in plain PostgreSQL."
        )
    return TIMESCALEDB


def _offered(connection: sa.Connection) -> bool:
    """The server has the extension and has loaded its library at its start: making it without that ends the connection."""
    row = connection.execute(
        sa.text(
            "SELECT 1 FROM pg_available_extensions "
            "WHERE name = :name AND current_setting('timescaledb.disable_load', true) IS NOT NULL"
        ),
        {"name": EXTENSION},
    ).one_or_none()
    return row is not None


def problem(connection: sa.Connection) -> str | None:
    """The sentence that says why the server no longer fits the tier that was chosen, or None."""
    if not sa.inspect(connection).has_table("storage"):
        return None
    tier = connection.execute(sa.text("SELECT tier FROM storage")).scalar_one()
    found = installed(connection)
    if tier == POSTGRES and found is not None and found.capable:
        return (
            f"the database stores samples in plain PostgreSQL (tier postgres) and has TimescaleDB {found.version} now; "
            f"a tier never changes, so run DROP EXTENSION timescaledb there, or start dashapp with a new database."
        )
    if tier == TIMESCALEDB and (found is None or not found.capable):
        state = "is gone" if found is None else f"has the licence {found.licence!r}" if found.licence else "isn't loaded"
        return (
            f"the database stores samples in TimescaleDB (tier timescaledb) and the extension {state}; bring back TimescaleDB with "
            f"the licence 'timescale' and shared_preload_libraries = 'timescaledb'."
        )
    return None


async def tier_of(database: Database) -> str:
    """The tier of a migrated database, asked once.

    Raises:
        Unavailable: the database can't be reached.
    """
    if database.tier is None:
        async with database.connection() as connection:
            row = await (await connection.execute("SELECT tier FROM storage")).fetchone()
        database.tier = str(row["tier"]) if row else POSTGRES
    return database.tier
