"""How the live hub and caches notice that history changed."""

from __future__ import annotations

from collections.abc import Iterable

from dashapp.database.pool import Database


async def generations(database: Database, names: Iterable[str]) -> dict[str, int]:
    """The generation of each metric that exists. It rises with every committed change of minutes older than two minutes.

    Raises:
        Unavailable: the database can't be reached.
    """
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT name, generation FROM metrics WHERE name = ANY(%s)", (list(names),))
        return {str(row["name"]): int(str(row["generation"])) for row in await cursor.fetchall()}
