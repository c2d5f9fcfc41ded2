"""Public links: one a dashboard at most. Whoever has the link sees the dashboard, and nothing else, until it is revoked."""

from __future__ import annotations

import secrets
from uuid import UUID

from dashapp.contract.dashboards import PublicLink
from dashapp.dashboards.store import CHANNEL
from dashapp.database.audit import record
from dashapp.database.notices import notify
from dashapp.database.pool import Database, Row
from dashapp.errors import NotFound


class Published:
    """All public links. All methods may raise `Unavailable`. A change is told on the dashboards' channel."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, dashboard_id: UUID) -> tuple[PublicLink, bool]:
        """The dashboard's link, and whether it is a new one.

        Raises:
            NotFound: there is no such dashboard.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO published (dashboard_id, token) SELECT id, %s FROM dashboards WHERE id = %s AND deleted_at IS NULL"
                " ON CONFLICT (dashboard_id) DO NOTHING RETURNING token, created_at",
                (secrets.token_urlsafe(24), dashboard_id),
            )
            if (row := await cursor.fetchone()) is not None:
                await record(connection, "dashboard.publish", dashboard_id)
                return _link(row), True
        return await self.link(dashboard_id), False

    async def link(self, dashboard_id: UUID) -> PublicLink:
        """
        Raises:
            NotFound: it has none.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT token, created_at FROM published WHERE dashboard_id = %s", (dashboard_id,))
            row = await cursor.fetchone()
        if row is None:
            raise NotFound("This dashboard has no public link.")
        return _link(row)

    async def revoke(self, dashboard_id: UUID) -> None:
        """
        Raises:
            NotFound: it has none.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute("DELETE FROM published WHERE dashboard_id = %s", (dashboard_id,))
            if not cursor.rowcount:
                raise NotFound("This dashboard has no public link.")
            await record(connection, "dashboard.unpublish", dashboard_id)
            await notify(connection, CHANNEL, str(dashboard_id))

    async def dashboard_of(self, token: str) -> UUID | None:
        """What a link leads to; None where it leads nowhere, or not any more."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT dashboard_id FROM published WHERE token = %s", (token,))
            row = await cursor.fetchone()
        return UUID(str(row["dashboard_id"])) if row else None


def _link(row: Row) -> PublicLink:
    return PublicLink.model_validate({"path": f"/p/{row['token']}", "created_at": row["created_at"]})
