"""The store of dashboards and panels.

Every change locks its dashboard's row first, so that changes of one dashboard follow each other, raises its version by
one, and tells it on `CHANNEL`. What is deleted can be restored for a week. Who may change what is decided by whoever
calls (`dashapp.accounts.permissions`); what is missing is told in the same words as what is hidden there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from dashapp.contract.dashboards import (
    UNASKING,
    Dashboard,
    DashboardRequest,
    DashboardSummary,
    DashboardUpdate,
    LayoutItem,
    Panel,
    PanelDefinition,
    PanelOptions,
    PanelUpdate,
    Position,
)
from dashapp.contract.documents import DashboardDocument
from dashapp.contract.variables import Variable
from dashapp.dashboards import layout
from dashapp.dashboards.rows import dashboard_of, panel_of, position_of
from dashapp.database.audit import record
from dashapp.database.notices import notify
from dashapp.database.pool import Connection, Database, Row
from dashapp.database.sql import load
from dashapp.errors import Conflict, NotFound, ValidationFailed

#: Notices of changed dashboards: the payload is a dashboard's id.
CHANNEL = "dashapp_dashboards"
#: How long what was deleted can be restored.
KEPT = timedelta(days=7)


class Ownership(NamedTuple):
    """What permissions ask of a dashboard."""

    owner_id: UUID
    is_public: bool


class Dashboards:
    """All dashboards. All methods may raise `Unavailable`; those with an id raise `NotFound` where nothing has it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load("dashapp.dashboards", "store.sql")

    # -- dashboards --------------------------------------------------------------------------------------------

    async def list_for(
        self, user_id: UUID, is_admin: bool, page: int = 1, page_size: int = 50
    ) -> tuple[list[DashboardSummary], int]:
        """A page (from 1) of what this user may see, by name, and how many there are in all."""
        values = {"user_id": user_id, "is_admin": is_admin, "limit": page_size, "offset": (page - 1) * page_size}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["list_dashboards"], values)).fetchall()
            count = await (await connection.execute(self._sql["count_dashboards"], values)).fetchone()
        return [DashboardSummary.model_validate(row) for row in rows], int(str(count["total"])) if count else 0

    async def showing(self, metric: str, user_id: UUID, is_admin: bool) -> dict[UUID, str]:
        """Names of the dashboards, at most 20, that draw this metric and that this user may see."""
        values = {"metric": metric, "user_id": user_id, "is_admin": is_admin}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["showing"], values)).fetchall()
        return {UUID(str(row["id"])): str(row["name"]) for row in rows}

    async def get(self, dashboard_id: UUID) -> Dashboard:
        async with self._database.connection() as connection:
            return await self._get(connection, dashboard_id)

    async def owned(self, ids: Collection[UUID]) -> dict[UUID, Ownership]:
        """Whose these dashboards are and who may see them, of those that exist."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["owners"], {"ids": list(ids)})).fetchall()
        return {cast(UUID, row["id"]): Ownership(cast(UUID, row["owner_id"]), bool(row["is_public"])) for row in rows}

    async def create(self, owner_id: UUID, request: DashboardRequest) -> Dashboard:
        """
        Raises:
            ValidationFailed: there are too many panels.
            NotFound: no such owner.
        """
        async with self._database.connection() as connection:
            return await self._create(connection, owner_id, request)

    async def create_example(self, owner_id: UUID, request: DashboardRequest) -> Dashboard | None:
        """Create it unless one of this name was ever made by this method; None where it was.

        Raises:
            ValidationFailed: there are too many panels.
            NotFound: no such owner.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(self._sql["mark_example"], {"name": request.name})
            if await cursor.fetchone() is None:
                return None
            return await self._create(connection, owner_id, request)

    async def update(self, dashboard_id: UUID, update: DashboardUpdate) -> Dashboard:
        """Change what is given. A layout moves the panels it names, in one transaction with the rest.

        Raises:
            Conflict: `update.version` is stale; nothing has changed.
            ValidationFailed: the layout names a panel of another dashboard, or one twice.
        """
        given: dict[str, Any] = update.model_dump(include={"name", "description", "is_public"}, exclude_none=True)
        if update.variables is not None:
            given["variables"] = _plain(update.variables)
        async with self._database.connection() as connection:
            await self._lock(connection, dashboard_id, update.version)
            if update.layout is not None:
                await self._move(connection, dashboard_id, update.layout)
            if given or update.layout is not None:
                values = {"id": dashboard_id, "name": None, "description": None, "is_public": None, "variables": None} | given
                await connection.execute(self._sql["change_dashboard"], values)
            dashboard = await self._get(connection, dashboard_id)
            if given or update.layout is not None:
                changed = [*given, *(["layout"] if update.layout is not None else [])]
                await notify(connection, CHANNEL, str(dashboard_id))
                await record(connection, "dashboard.change", dashboard_id, dashboard.name, changed=changed)
            return dashboard

    async def meant_by(self, document: DashboardDocument, user_id: UUID) -> Dashboard | None:
        """The stored dashboard that a file is about: by its id, else the user's own one of that name. None if there is none.

        Raises:
            Conflict: the user has several of that name.
        """
        async with self._database.connection() as connection:
            if document.id is not None:
                row = await (await connection.execute(self._sql["dashboard"], {"id": document.id})).fetchone()
                ids = [document.id] if row else []
            else:
                values = {"owner_id": user_id, "name": document.name}
                rows = await (await connection.execute(self._sql["own_dashboards_named"], values)).fetchall()
                ids = [UUID(str(row["id"])) for row in rows]
            if len(ids) > 1:
                listed = ", ".join(str(known) for known in ids)
                raise Conflict(
                    f"You have several dashboards named {document.name!r}; say in the file which is meant, id: {listed}."
                )
            return await self._get(connection, ids[0]) if ids else None

    async def replace(self, dashboard_id: UUID, document: DashboardRequest, version: int | None = None) -> Dashboard:
        """Make the dashboard what `document` says, in one transaction. Panels that are still meant keep their ids.

        Raises:
            Conflict: `version` is stale; nothing has changed.
            ValidationFailed: there are too many panels.
        """
        positions = layout.arranged(document.panels)
        async with self._database.connection() as connection:
            await self._lock(connection, dashboard_id, version)
            rows = await self._panels(connection, dashboard_id)
            wanted = [_columns(dashboard_id, *panel) for panel in zip(document.panels, positions, strict=True)]
            kept = matched(rows, wanted)
            for row in rows:
                if row["id"] not in kept:
                    await connection.execute(self._sql["delete_panel"], {"id": row["id"]})
            for panel_id, columns in zip(kept, wanted, strict=True):
                name = "add_panel" if panel_id is None else "change_panel"
                await connection.execute(self._sql[name], {**columns, "id": panel_id})
            values = document.model_dump(include={"name", "description", "is_public"})
            values |= {"id": dashboard_id, "variables": _plain(document.variables)}
            await connection.execute(self._sql["change_dashboard"], values)
            await notify(connection, CHANNEL, str(dashboard_id))
            await record(connection, "dashboard.change", dashboard_id, document.name, changed=["import"])
            return await self._get(connection, dashboard_id)

    async def delete(self, dashboard_id: UUID) -> None:
        """Take it away. It can be restored for `KEPT`; what was deleted before that goes for good now."""
        async with self._database.connection() as connection:
            row = await self._one(connection, "delete_dashboard", dashboard_id)
            await record(connection, "dashboard.delete", dashboard_id, str(row["name"]))
            await connection.execute(self._sql["purge_dashboards"], {"kept": KEPT})
            await notify(connection, CHANNEL, str(dashboard_id))

    async def deleted(self, dashboard_id: UUID) -> Dashboard:
        """One that was deleted and can be restored."""
        async with self._database.connection() as connection:
            row = await self._one(connection, "deleted_dashboard", dashboard_id)
            return dashboard_of(row, await self._panels(connection, dashboard_id))

    async def restore(self, dashboard_id: UUID) -> Dashboard:
        """Take `delete` back."""
        async with self._database.connection() as connection:
            await self._one(connection, "restore_dashboard", dashboard_id)
            await notify(connection, CHANNEL, str(dashboard_id))
            dashboard = await self._get(connection, dashboard_id)
            await record(connection, "dashboard.restore", dashboard_id, dashboard.name)
            return dashboard

    async def first_panels(self, dashboard_ids: Sequence[UUID]) -> dict[UUID, Panel]:
        """The panel that stands for each dashboard in a list: its first over time, else its first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(self._sql["first_panels"], {"ids": list(dashboard_ids)})).fetchall()
        return {panel.dashboard_id: panel for panel in map(panel_of, rows)}

    # -- panels ------------------------------------------------------------------------------------------------

    async def panel_dashboard(self, panel_id: UUID) -> Dashboard:
        """The dashboard that a panel is on."""
        async with self._database.connection() as connection:
            panel = await self._one(connection, "panel", panel_id)
            return await self._get(connection, UUID(str(panel["dashboard_id"])))

    async def add_panel(self, dashboard_id: UUID, definition: PanelDefinition, version: int | None = None) -> Panel:
        """A new panel: where its position says, or below all others if it says nothing.

        Raises:
            Conflict: `version` is stale; nothing has changed.
            ValidationFailed: the dashboard is full.
        """
        async with self._database.connection() as connection:
            await self._lock(connection, dashboard_id, version)
            taken = [position_of(row) for row in await self._with_room(connection, dashboard_id)]
            position = definition.position
            if layout.wants_a_place(definition):
                position = layout.Grid(taken).place(position, above=layout.bottom(taken))
            await self._changed(connection, dashboard_id)
            cursor = await connection.execute(self._sql["add_panel"], _columns(dashboard_id, definition, position))
            row = await cursor.fetchone()
            assert row is not None
            await record(connection, "panel.create", row["id"], definition.title, dashboard=str(dashboard_id))
            return panel_of(row)

    async def update_panel(self, panel_id: UUID, update: PanelUpdate) -> Panel:
        """Change what is given; options are replaced as a whole.

        Raises:
            Conflict: `update.version` is stale; nothing has changed.
        """
        given: dict[str, Any] = update.model_dump(include={"title", "type", "query"}, exclude_none=True)
        if update.options is not None:
            given["options"] = _json(update.options)
        if update.position is not None:
            given |= update.position.model_dump()
        async with self._database.connection() as connection:
            dashboard_id = await self._lock_by_panel(connection, panel_id, update.version)
            panel = await self._one(connection, "panel", panel_id)
            if not given:
                return panel_of(panel)
            if not (given.get("query", panel["query"]) or given.get("type", panel["type"]) in UNASKING):
                kind = given.get("type", panel["type"])
                raise ValidationFailed(
                    "query: this type of panel asks for a metric.", details={"query": f"a {kind} panel asks for a metric"}
                )
            columns = ("title", "type", "query", "options", "x", "y", "w", "h")
            cursor = await connection.execute(self._sql["change_panel"], {"id": panel_id} | dict.fromkeys(columns) | given)
            row = await cursor.fetchone()
            assert row is not None
            await self._changed(connection, dashboard_id)
            await record(connection, "panel.change", panel_id, str(row["title"]), dashboard=str(dashboard_id))
            return panel_of(row)

    async def delete_panel(self, panel_id: UUID, version: int | None = None) -> None:
        """Take a panel off its dashboard. It can be restored for `KEPT`.

        Raises:
            Conflict: `version` is stale; nothing has changed.
        """
        async with self._database.connection() as connection:
            dashboard_id = await self._lock_by_panel(connection, panel_id, version)
            row = await (await connection.execute(self._sql["delete_panel"], {"id": panel_id})).fetchone()
            await record(connection, "panel.delete", panel_id, str(row["title"]) if row else "", dashboard=str(dashboard_id))
            await connection.execute(self._sql["purge_panels"], {"kept": KEPT})
            await self._changed(connection, dashboard_id)

    async def deleted_panel_dashboard(self, panel_id: UUID) -> Dashboard:
        """The dashboard that a deleted panel was on."""
        async with self._database.connection() as connection:
            row = await self._one(connection, "deleted_panel", panel_id)
            return await self._get(connection, UUID(str(row["dashboard_id"])))

    async def restore_panel(self, panel_id: UUID) -> Panel:
        """Take `delete_panel` back: the same panel, where it stood.

        Raises:
            ValidationFailed: the dashboard is full.
        """
        async with self._database.connection() as connection:
            dashboard_id = UUID(str((await self._one(connection, "deleted_panel", panel_id))["dashboard_id"]))
            await self._lock(connection, dashboard_id, None)
            await self._with_room(connection, dashboard_id)
            row = await self._one(connection, "restore_panel", panel_id)  # somebody else may have done so while we waited
            await self._changed(connection, dashboard_id)
            await record(connection, "panel.restore", panel_id, str(row["title"]), dashboard=str(dashboard_id))
            return panel_of(row)

    # -- steps of the above, inside its transaction --------------------------------------------------------------

    async def _one(self, connection: Connection, statement: str, key: UUID) -> Row:
        """The row of what has this id, of a statement that asks for no more than that and for how long things are kept.

        Raises:
            NotFound: nothing has it.
        """
        row = await (await connection.execute(self._sql[statement], {"id": key, "kept": KEPT})).fetchone()
        if row is None:
            raise NotFound()
        return row

    async def _changed(self, connection: Connection, dashboard_id: UUID) -> None:
        await connection.execute(self._sql["raise_version"], {"id": dashboard_id})
        await notify(connection, CHANNEL, str(dashboard_id))

    async def _get(self, connection: Connection, dashboard_id: UUID) -> Dashboard:
        row = await self._one(connection, "dashboard", dashboard_id)
        return dashboard_of(row, await self._panels(connection, dashboard_id))

    async def _panels(self, connection: Connection, dashboard_id: UUID) -> list[Row]:
        return await (await connection.execute(self._sql["panels"], {"id": dashboard_id})).fetchall()

    async def _with_room(self, connection: Connection, dashboard_id: UUID) -> list[Row]:
        """The panels of a dashboard that another one fits on.

        Raises:
            ValidationFailed: it is full.
        """
        panels = await self._panels(connection, dashboard_id)
        if len(panels) >= layout.MOST_PANELS:
            raise ValidationFailed(f"A dashboard holds at most {layout.MOST_PANELS} panels.")
        return panels

    async def _lock(self, connection: Connection, dashboard_id: UUID, version: int | None) -> None:
        row = await self._one(connection, "lock_dashboard", dashboard_id)
        if version is not None and version != row["version"]:
            raise Conflict(
                f"The dashboard is at version {row['version']}, this change was made on {version}; reload and try again."
            )

    async def _lock_by_panel(self, connection: Connection, panel_id: UUID, version: int | None) -> UUID:
        dashboard_id = UUID(str((await self._one(connection, "panel", panel_id))["dashboard_id"]))
        await self._lock(connection, dashboard_id, version)
        await self._one(connection, "panel", panel_id)  # it may have gone while we waited for the lock
        return dashboard_id

    async def _create(self, connection: Connection, owner_id: UUID, request: DashboardRequest) -> Dashboard:
        positions = layout.arranged(request.panels)
        values = request.model_dump(include={"name", "description", "is_public"}) | {"owner_id": owner_id}
        values["variables"] = _plain(request.variables)
        values["id"] = request.id if isinstance(request, DashboardDocument) else None
        try:
            row = await (await connection.execute(self._sql["add_dashboard"], values)).fetchone()
        except pg.ForeignKeyViolation:
            raise NotFound("There is no such user.") from None
        except pg.UniqueViolation:
            raise Conflict(f"There is a dashboard with the id {values['id']} already; take the id out to make another.") from None
        assert row is not None
        dashboard_id = UUID(str(row["id"]))
        rows = [_columns(dashboard_id, *panel) for panel in zip(request.panels, positions, strict=True)]
        await record(connection, "dashboard.create", dashboard_id, request.name)
        async with connection.cursor() as cursor:
            await cursor.executemany(self._sql["add_panel"], rows)  # pipelined: 100 panels in one round trip
        return await self._get(connection, dashboard_id)

    async def _move(self, connection: Connection, dashboard_id: UUID, items: Sequence[LayoutItem]) -> None:
        titles = {UUID(str(row["id"])): str(row["title"]) for row in await self._panels(connection, dashboard_id)}
        _check_layout(items, titles)
        columns = {key: [getattr(item, key) for item in items] for key in ("x", "y", "w", "h")}
        values = {"dashboard_id": dashboard_id, "ids": [item.i for item in items], **columns}
        await connection.execute(self._sql["move_panels"], values)


def _plain(variables: Sequence[Variable]) -> Jsonb:
    return Jsonb([variable.model_dump(mode="json", by_alias=True, exclude_defaults=True) for variable in variables])


def _json(options: PanelOptions) -> Jsonb:
    # Defaults are left out: a panel that never chose a colour follows what a later version chooses for it.
    return Jsonb(options.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def _columns(dashboard_id: UUID, definition: PanelDefinition, position: Position) -> dict[str, Any]:
    values = definition.model_dump(include={"title", "type", "query"}) | position.model_dump(include={"x", "y", "w", "h"})
    return values | {"dashboard_id": dashboard_id, "options": _json(definition.options)}


def matched(rows: Sequence[Row], wanted: Sequence[dict[str, Any]]) -> list[UUID | None]:
    """For each wanted panel the id of the stored one that becomes it: the same, one moved, one of the same title, one renamed."""
    keys: tuple[Callable[[Mapping[str, Any]], object], ...] = (
        lambda panel: (panel["title"], panel["type"], panel["query"], panel["x"], panel["y"]),
        lambda panel: (panel["title"], panel["type"], panel["query"]),
        lambda panel: panel["title"],
        lambda panel: (panel["type"], panel["query"], panel["x"], panel["y"]),
    )
    left = {UUID(str(row["id"])): row for row in rows}
    found: list[UUID | None] = [None] * len(wanted)
    for key in keys:
        for index, panel in enumerate(wanted):
            if found[index] is None:
                found[index] = next((known for known, row in left.items() if key(row) == key(panel)), None)
                left.pop(found[index] or UUID(int=0), None)
    return found


def _check_layout(items: Sequence[LayoutItem], titles: dict[UUID, str]) -> None:
    """
    Raises:
        ValidationFailed: an item is no panel of this dashboard, or comes twice.
    """
    details: dict[str, str] = {}
    seen: set[UUID] = set()
    for index, item in enumerate(items):
        if item.i not in titles:
            details[f"layout.{index}.i"] = "no panel of this dashboard"
        elif item.i in seen:
            details[f"layout.{index}.i"] = f"{titles[item.i]!r} comes twice"
        seen.add(item.i)
    if details:
        field, message = next(iter(details.items()))
        raise ValidationFailed(f"{field}: {message}.", details=details)
