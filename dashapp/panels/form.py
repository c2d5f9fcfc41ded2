"""The editor's form, read off the models that judge panels: one source for form, API and files."""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from dashapp.contract.dashboards import (
    Choice,
    FormField,
    PanelOptions,
    PanelQuery,
    PanelType,
    PanelTypeInfo,
    PanelTypes,
    Position,
    Shown,
)
from dashapp.panels import PANELS

_KINDS: dict[Any, str] = {bool: "switch", int: "integer", float: "number"}


@cache
def panel_form() -> PanelTypes:
    """Every type of panel, and the fields of options and queries."""
    query_fields = _fields(PanelQuery)
    names = {field.name for field in query_fields}
    return PanelTypes(
        types=[
            PanelTypeInfo(
                type=cast(PanelType, kind),
                label=panel.label,
                about=panel.about,
                sketch=panel.sketch,
                filled=panel.filled,
                asks=panel.asks,
                options=[".".join(map(to_camel, name.split("."))) for name in panel.options],
                position=Position(w=panel.size[0], h=panel.size[1]),
            )
            for kind, panel in PANELS.items()
        ],
        # The panel's own query stands in its options; a form shows it with the others.
        options=[field for field in _fields(PanelOptions) if field.name not in names],
        query=query_fields,
    )


def _fields(model: type[BaseModel], prefix: str = "") -> list[FormField]:
    fields = []
    for name, info in model.model_fields.items():
        wire = f"{prefix}{to_camel(name)}"
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            fields += _fields(info.annotation, f"{wire}.")
        shown = next((part for part in info.metadata if isinstance(part, Shown)), None)
        if shown is not None:
            fields.append(_field(wire, info, shown))
    return fields


def _field(name: str, info: FieldInfo, shown: Shown) -> FormField:
    kind, optional, limits = _bare(info.annotation)
    values: list[str] = []
    if get_origin(kind) is Literal:
        choice, values = "choice", list(get_args(kind))
    elif get_origin(kind) is list and get_origin(inner := get_args(kind)[0]) is Literal:
        choice, values = "choices", list(get_args(inner))
    else:
        choice = shown.kind or _KINDS.get(kind, "text")
    default = info.get_default(call_default_factory=True)
    bounds = {type(part): part for part in [*info.metadata, *limits] if isinstance(part, Ge | Le)}
    choices = [Choice(value=value, label=shown.choices.get(value, value)) for value in values]
    if optional and choices:
        choices.insert(0, Choice(value="", label=shown.empty or "none"))
    return FormField.model_validate({
        "name": name, "label": shown.label, "group": shown.group, "kind": choice, "help": info.description or "",
        "choices": choices, "default": default if isinstance(default, bool | int | float | str | list) else None,
        "empty": shown.empty,
        "minimum": getattr(bounds.get(Ge), "ge", None), "maximum": getattr(bounds.get(Le), "le", None),
    })  # fmt: skip


def _bare(annotation: Any) -> tuple[Any, bool, list[Any]]:
    """(the type without ``| None``, whether None was allowed, what else is said of the type)."""
    optional, said = False, []
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        annotation, optional = rest[0], len(rest) < len(get_args(annotation))
    if get_origin(annotation) is Annotated:
        annotation, *said = get_args(annotation)
    return annotation, optional, [limit for part in said for limit in getattr(part, "metadata", [])]
