"""What is known about metrics: names, types, units, descriptions and the values of their tags."""

from __future__ import annotations

from typing import Any, cast

from dashapp.contract.metrics import MetricInfo, MetricUpdate
from dashapp.database import sql
from dashapp.database.audit import record
from dashapp.database.pool import Database, Row
from dashapp.errors import NotFound

_SQL = sql.load("dashapp.metrics", "catalog.sql")


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no metric {name!r}; it appears with its first point.")


def _info(row: Row) -> MetricInfo:
    return MetricInfo(**cast(dict[str, Any], row))


class Catalog:
    """The metrics of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def search(self, q: str, limit: int = 100) -> list[MetricInfo]:
        """Metrics whose name contains `q`, in any case; those that begin with it come first.

        Raises:
            Unavailable: the database can't be reached.
        """
        escaped = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        async with self.database.connection() as connection:
            cursor = await connection.execute(_SQL["search"], {"pattern": f"%{escaped}%", "q": q, "limit": limit})
            return [_info(row) for row in await cursor.fetchall()]

    async def tags(self, name: str) -> dict[str, list[str]]:
        """Each tag of a metric with its values, both sorted.

        Raises:
            NotFound: there is no such metric.
            Unavailable: the database can't be reached.
        """
        async with self.database.connection() as connection:
            cursor = await connection.execute("SELECT id FROM metrics WHERE name = %s", (name,))
            metric = await cursor.fetchone()
            if metric is None:
                raise _unknown(name)
            cursor = await connection.execute(_SQL["tags"], {"metric": metric["id"]})
            return {str(row["key"]): cast(list[str], row["values"]) for row in await cursor.fetchall()}

    async def update(self, name: str, change: MetricUpdate) -> MetricInfo:
        """Set the fields that `change` names; an explicit null clears.

        Raises:
            NotFound: there is no such metric.
            Unavailable: the database can't be reached.
        """
        fields = ("type", "unit", "description")
        values: dict[str, object] = {"name": name}
        for field in fields:
            values[field] = getattr(change, field)
            values[f"set_{field}"] = field in change.model_fields_set
        async with self.database.connection() as connection:
            row = await (await connection.execute(_SQL["update"], values)).fetchone()
            if row is None:
                raise _unknown(name)
            await record(connection, "metric.change", name, name, changed=sorted(change.model_fields_set))
        return _info(row)

    async def describe(self, infos: list[MetricInfo]) -> None:
        """Seed what is known beforehand: make the metrics that are missing, fill only what is empty.

        Raises:
            Unavailable: the database can't be reached.
        """
        async with self.database.connection() as connection:
            await connection.execute(_SQL["describe"], _columns(infos))

    async def describe_known(self, infos: list[MetricInfo]) -> None:
        """Fill what is empty of the metrics that are there already.

        Raises:
            Unavailable: the database can't be reached.
        """
        async with self.database.connection() as connection:
            await connection.execute(_SQL["describe_known"], _columns(infos))


def _columns(infos: list[MetricInfo]) -> dict[str, list[str | None]]:
    known = list({info.name: info for info in infos}.values())
    return {
        "names": [info.name for info in known], "types": [info.type for info in known],
        "units": [info.unit for info in known], "descriptions": [info.description for info in known],
    }  # fmt: skip
