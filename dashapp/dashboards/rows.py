"""Database rows as contract models. A row that this version can't read must not take its dashboard down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import Dashboard, LayoutItem, Panel, PanelMetric, PanelOptions, PanelType, Position, Title
from dashapp.contract.variables import Variable
from dashapp.database.pool import Row

_FALLBACKS: tuple[tuple[str, TypeAdapter[Any], object], ...] = (
    ("title", TypeAdapter(Title), "Untitled"),
    ("type", TypeAdapter(PanelType), "line"),
    ("query", TypeAdapter(PanelMetric), "unknown"),
)


def position_of(row: Mapping[str, object]) -> Position:
    """A row's place on the grid; the table's own checks hold it valid."""
    x, y, w, h = (int(str(row[key])) for key in ("x", "y", "w", "h"))
    return Position.model_construct(x=x, y=y, w=w, h=h)


def _readable_options(stored: object) -> PanelOptions:
    """What can be read of stored options: fields at fault are left out, all of them where they contradict each other."""
    options = dict(stored) if isinstance(stored, dict) else {}
    try:
        return PanelOptions.model_validate(options)
    except ValidationError as error:
        faulty = {str(part["loc"][0]) for part in error.errors() if part["loc"]}
    try:
        return PanelOptions.model_validate({key: value for key, value in options.items() if key not in faulty})
    except ValidationError:
        return PanelOptions()


def panel_of(row: Row) -> Panel:
    """A panel's row; with `Panel.error` and defaults in place of what no longer validates."""
    values: dict[str, Any] = {key: row[key] for key in ("id", "dashboard_id", "title", "type", "query", "options")}
    values["position"] = position_of(row)
    try:
        return Panel.model_validate(values)
    except ValidationError as error:
        failure = from_pydantic(error)
    if not values["query"]:
        values["query"] = "unknown"
    for field, adapter, fallback in _FALLBACKS:
        try:
            adapter.validate_python(values[field])
        except ValidationError:
            values[field] = fallback
    values["options"] = _readable_options(values["options"])
    return Panel.model_validate({**values, "error": f"This panel can't be drawn as it is stored: {failure}"})


def dashboard_of(row: Row, panels: Iterable[Row]) -> Dashboard:
    """A dashboard's row and its panels', in reading order."""
    built = sorted((panel_of(panel) for panel in panels), key=lambda p: (p.position.y, p.position.x, p.id))
    layout = [LayoutItem.model_construct(i=panel.id, **dict(panel.position)) for panel in built]
    return Dashboard.model_validate({**row, "variables": _variables(row["variables"]), "panels": built, "layout": layout})


def _variables(stored: object) -> list[Variable]:
    """Those that can be read; panels that ask for another say so."""
    readable = []
    for one in stored if isinstance(stored, list) else []:
        with suppress(ValidationError):
            readable.append(Variable.model_validate(one))
    return readable
