"""Dashboards from code: the same models as the API's, the same files as `dashapp dashboards pull` writes.

from dashapp.build import Dashboard, line, stat

shop = Dashboard("Shop", public=True)
shop.row(stat("Orders", "shop.orders", aggregation="sum"), line("Latency", "shop.latency", by="host", unit="ms", w=9))
shop.save("shop.yaml")              # or: dashapp.connect().put_dashboard(shop)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import GRID_COLUMNS, PanelDefinition
from dashapp.contract.documents import DashboardDocument, dump
from dashapp.errors import ValidationFailed


def panel(
    kind: str, title: str, query: str | None = None, *, by: str | Sequence[str] = (), x: int | None = None, y: int | None = None,
    w: int | None = None, h: int | None = None, **options: Any,
) -> PanelDefinition:  # fmt: skip
    """A panel of any type.

    Args:
        kind: its type, such as ``line``.
        query: a metric's name.
        by: one series for each combination of these tags.
        x, y, w, h: its place on the 12-column grid; below the others where `x` and `y` are missing.
        options: as in docs/dashboards.md, in snake_case or camelCase: ``unit="percent"``, ``thresholds={"warning": 80}``.

    Raises:
        ValidationFailed: a field has a value that it can't have.
    """
    keys = [by] if isinstance(by, str) else list(by)
    place = {key: value for key, value in {"x": x, "y": y, "w": w, "h": h}.items() if value is not None}
    values: dict[str, Any] = {"title": title, "type": kind, "options": options | ({"group_by": keys} if keys else {})}
    values |= ({"query": query} if query is not None else {}) | ({"position": place} if place else {})
    try:
        return PanelDefinition.model_validate(values)
    except ValidationError as error:
        failure = from_pydantic(error)
        raise ValidationFailed(f"{title!r}: {failure}", details=failure.details) from None


def line(title: str, query: str, *, by: str | Sequence[str] = (), **options: Any) -> PanelDefinition:
    """Lines over time; see `panel`."""
    return panel("line", title, query, by=by, **options)


def area(title: str, query: str, *, by: str | Sequence[str] = (), **options: Any) -> PanelDefinition:
    """Filled lines, with ``stack=True`` on top of each other; see `panel`."""
    return panel("area", title, query, by=by, **options)


def bar(title: str, query: str, *, by: str | Sequence[str] = (), **options: Any) -> PanelDefinition:
    """A bar a series; see `panel`."""
    return panel("bar", title, query, by=by, **options)


def gauge(title: str, query: str, *, by: str | Sequence[str] = (), **options: Any) -> PanelDefinition:
    """One number on an arc; see `panel`."""
    return panel("gauge", title, query, by=by, **options)


def stat(title: str, query: str, *, by: str | Sequence[str] = (), **options: Any) -> PanelDefinition:
    """One number, large; see `panel`."""
    return panel("stat", title, query, by=by, **options)


class Dashboard:
    """A dashboard that is being put together.

    Args:
        id: which dashboard this is, on every server; without it, it is your own of this name.
        fields: what else a dashboard's file may have.

    Raises:
        ValidationFailed: a field has a value that it can't have; so do all methods.
    """

    def __init__(
        self, name: str, *, description: str = "", public: bool = False, id: UUID | str | None = None, **fields: Any
    ) -> None:
        self._fields: dict[str, Any] = {"name": name, "description": description, "is_public": public, "id": id, **fields}
        #: The panels so far.
        self.panels: list[PanelDefinition] = []
        self.document()

    def add(self, *panels: PanelDefinition) -> Dashboard:
        """Add panels where they say; answers the dashboard."""
        self.panels += panels
        self.document()
        return self

    def row(self, *panels: PanelDefinition, h: int = 4) -> Dashboard:
        """Add panels side by side below all others: those without a width share what is left; answers the dashboard."""
        given = [p.position.w if "w" in p.position.model_fields_set else None for p in panels]
        open_ = [index for index, width in enumerate(given) if width is None]
        rest = GRID_COLUMNS - sum(width or 0 for width in given)
        if rest < len(open_):
            raise ValidationFailed(f"a row has {GRID_COLUMNS} columns; these {len(panels)} panels need more.")
        widths = [width or rest // len(open_) + (open_.index(index) < rest % len(open_)) for index, width in enumerate(given)]
        y = max((p.position.y + p.position.h for p in self.panels), default=0)
        x = 0
        for panel_, w in zip(panels, widths, strict=True):
            own_h = panel_.position.h if "h" in panel_.position.model_fields_set else h
            values = panel_.model_dump(exclude_unset=True) | {"position": {"x": x, "y": y, "w": w, "h": own_h}}
            self.panels.append(PanelDefinition.model_validate(values))
            x += w
        self.document()
        return self

    def document(self) -> DashboardDocument:
        """As the contract's model."""
        try:
            return DashboardDocument.model_validate({**self._fields, "panels": self.panels})
        except ValidationError as error:
            raise from_pydantic(error) from None

    def yaml(self) -> str:
        """The dashboard's file."""
        return dump(self.document())

    def save(self, path: Path | str) -> None:
        Path(path).write_text(self.yaml(), encoding="utf-8")
