"""A dashboard as a YAML text: the contract's own models in a fixed order and form, so that the same dashboard is the same text.

`dump` leaves out what has its default, and writes what is short on one line. `parse` names file, line and field of what
is wrong. Both are made from the models: an option added there is read and written here.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from pydantic import Field, ValidationError

from dashapp.contract.base import Id, from_pydantic
from dashapp.contract.dashboards import Dashboard, DashboardRequest, Panel, PanelDefinition
from dashapp.errors import Conflict, ValidationFailed

#: Characters that a mapping or list on one line may have; beyond, its entries get a line each.
_SHORT = 110
_ODD_BREAKS = frozenset("\r\x85\u2028\u2029")


class DashboardDocument(DashboardRequest):
    """A dashboard's file."""

    id: Id | None = Field(
        default=None,
        description="Which dashboard this is, on every server. Without it, it is your own dashboard of this name, or a new one.",
    )


def document_of(dashboard: Dashboard) -> DashboardDocument:
    """What a stored dashboard is, without what only its server knows.

    Raises:
        Conflict: a panel can't be read as it is stored, so its file would lose something.
    """
    if faulty := next((panel for panel in dashboard.panels if panel.error), None):
        raise Conflict(f"{faulty.title!r} can't be written to a file. {faulty.error}")
    known = {name: getattr(dashboard, name) for name in DashboardDocument.model_fields if name in Dashboard.model_fields}
    return DashboardDocument.model_construct(**{**known, "panels": [_definition(panel) for panel in dashboard.panels]})


def _definition(panel: Panel) -> PanelDefinition:
    return PanelDefinition.model_construct(**{name: getattr(panel, name) for name in PanelDefinition.model_fields})


# -- writing -----------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # YAML knows more line breaks than one; only escaped they survive.
    style = '"' if _ODD_BREAKS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    return dumper.represent_int(int(number)) if number.is_integer() and abs(number) < 1e15 else dumper.represent_float(number)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)


def _sorted_tags(value: Any) -> Any:
    """The value with all tags by their names: the database keeps no order of them."""
    if isinstance(value, dict):
        return {key: dict(sorted(part.items())) if key == "tags" else _sorted_tags(part) for key, part in value.items()}
    return [_sorted_tags(part) for part in value] if isinstance(value, list) else value


def _plain(panel: PanelDefinition) -> dict[str, Any]:
    """A panel's mapping: its options as far as they aren't defaults, its position whole."""
    written: dict[str, Any] = panel.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {**_sorted_tags(written), "position": panel.position.model_dump(mode="json", by_alias=True)}


def plain(document: DashboardRequest) -> dict[str, Any]:
    """The document as plain mappings and lists in writing order; panels by their places, top left first."""
    written: dict[str, Any] = document.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"panels"})
    first: dict[str, Any] = {key: written.pop(key) for key in ("name", "id") if key in written}
    panels = [_plain(panel) for panel in document.panels]
    panels.sort(key=lambda panel: (panel["position"]["y"], panel["position"]["x"], json.dumps(panel)))
    return {**first, **written, "panels": panels} if panels else {**first, **written}


def _shape(node: yaml.Node, depth: int) -> int:
    """Decide which mappings and lists stand on one line, from the inside out; answers the length of `node` on one line."""
    if isinstance(node, yaml.ScalarNode):
        return sys.maxsize // 1000 if "\n" in node.value else len(node.value) + 2
    if isinstance(node, yaml.MappingNode):
        length = sum(_shape(key, depth + 1) + _shape(value, depth + 1) + 2 for key, value in node.value)
    else:
        assert isinstance(node, yaml.SequenceNode)
        length = sum(_shape(value, depth + 1) + 2 for value in node.value)
    # The dashboard, its list of panels and each panel are always spread out.
    node.flow_style = depth > 2 and 2 * depth + length < _SHORT
    return length + 2


def dump(document: DashboardRequest) -> str:
    """The document's one YAML text."""
    dumper = _Dumper(io.StringIO(), sort_keys=False)  # only to represent
    node = dumper.represent_data(plain(document))
    _shape(node, 0)
    return str(yaml.serialize(node, Dumper=_Dumper, allow_unicode=True, width=sys.maxsize))


# -- reading -----------------------------------------------------------------------------------------------------------


def _failed(name: str, mark: yaml.Mark | None, message: str, details: dict[str, str]) -> ValidationFailed:
    where = f"{name}:{mark.line + 1}" if mark else name
    return ValidationFailed(f"{where}: {message}", details=details)


def _mark(node: yaml.Node, location: Iterable[int | str]) -> yaml.Mark:
    """Where the part at a pydantic location stands; where it is missing, what it is missing from."""
    mark = node.start_mark
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
            continue
        else:
            break
        mark = node.start_mark
    return mark


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
        for key, value in node.value:
            yield from _mappings(key, seen)
            yield from _mappings(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)


def _refuse_twice(node: yaml.Node, name: str) -> None:
    """YAML's readers let the last of two equal keys win; here it is an error, as one of them is a mistake."""
    for mapping in _mappings(node, set()):
        keys: set[str] = set()
        for key, _ in mapping.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys and key.value != "<<":
                raise _failed(name, key.start_mark, f"{key.value} comes twice.", {key.value: "comes twice"})
            keys.add(str(key.value))


def _load(text: str, name: str) -> tuple[yaml.Node, Any]:
    """The nodes and the values of a YAML text."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise _failed(name, None, "a dashboard's file is a mapping with name and panels.", {"body": "empty"})
        _refuse_twice(node, name)
        return node, loader.construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = str(getattr(error, "problem", None) or "unreadable")
        raise _failed(name, getattr(error, "problem_mark", None), f"no valid YAML ({problem}).", {"body": problem}) from None
    finally:
        loader.dispose()


def parse(text: str, name: str) -> DashboardDocument:
    """The dashboard that a YAML text defines; `name` is the file's, for messages.

    Raises:
        ValidationFailed: it is no YAML or no dashboard; the sentence names file, line and field, `details` all fields.
    """
    node, values = _load(text, name)
    if not isinstance(values, dict):
        raise _failed(name, node.start_mark, "a dashboard's file is a mapping with name and panels.", {"body": "no mapping"})
    try:
        return DashboardDocument.model_validate(values)
    except ValidationError as error:
        failure = from_pydantic(error)
        mark = _mark(node, error.errors(include_url=False)[0]["loc"])
        raise _failed(name, mark, str(failure), failure.details) from None


def schema() -> str:
    """The JSON Schema of a dashboard's file, for editors."""
    described = DashboardDocument.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **described}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
