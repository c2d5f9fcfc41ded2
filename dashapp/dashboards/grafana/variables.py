"""A Grafana dashboard's template variables as ours, and how Grafana's texts and matchers refer to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.variables import ALL, MOST_CHOSEN, MOST_VARIABLES, Variable
from dashapp.dashboards.grafana.unmapped import NotMapped

#: ``$host``, ``${host:regex}`` and ``[[host:regex]]``; a format says how several values are written, which is no question here.
_REFERENCE = re.compile(r"\$(\w+)|\$\{(\w+)(?:[.:][^}]*)?\}|\[\[(\w+)(?:[.:][^\]]*)?\]\]")
#: A comma that isn't escaped.
_COMMA = re.compile(r"(?<!\\),")
_ANY = (".*", ".+", "")


@dataclass
class Variables:
    """What of a dashboard's variables there is here."""

    mapped: list[Variable] = field(default_factory=list)
    #: Variables that stand for the width of a window.
    intervals: list[str] = field(default_factory=list)
    #: What isn't mapped, or is different.
    notes: list[str] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return any(variable.name == name for variable in self.mapped)

    def named(self, text: str) -> str | None:
        """The name of the variable that the whole of a text is."""
        found = _REFERENCE.fullmatch(text)
        return _name(found) if found else None

    def in_text(self, text: str) -> tuple[str, list[str]]:
        """A text that refers as ours do, and the variables in it that aren't mapped."""
        unknown: list[str] = []

        def ours(found: re.Match[str]) -> str:
            name = _name(found)
            if name not in self:
                unknown.append(f"${name}")
                return found[0]
            return found[0] if found[1] else f"${{{name}}}"

        return _REFERENCE.sub(ours, text), unknown


def _name(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[3]


def refers(text: str) -> bool:
    """Whether a variable is a part of it."""
    return _REFERENCE.search(text) is not None


def read_variables(sources: list[Any], metric_of: Callable[[str], tuple[str, bool]]) -> Variables:
    """The variables of ``templating.list``. `metric_of` answers a selector's metric, and whether it selects among its series.

    Variables of data sources and of intervals have no counterpart because nothing here needs one.
    """
    found = Variables()
    for source in sources:
        if not isinstance(source, dict):
            continue
        name, kind = str(source.get("name") or ""), str(source.get("type") or "?")
        if kind == "interval":
            found.intervals.append(name)
            found.notes.append(f"variable {name} ({kind}) is not mapped: the width of buckets follows the range")
            continue
        try:
            if len(found.mapped) >= MOST_VARIABLES:
                raise NotMapped(f"a dashboard has at most {MOST_VARIABLES} variables")
            variable, notes = _variable(source, name, kind, metric_of)
            if name in found:
                raise NotMapped("another one has this name")
        except NotMapped as error:
            found.notes.append(f"variable {name} ({kind}) is not mapped: {error}")
            continue
        found.mapped.append(variable)
        found.notes += [f"variable {name}: {note}" for note in notes]
    return found


def _variable(
    source: dict[str, Any], name: str, kind: str, metric_of: Callable[[str], tuple[str, bool]]
) -> tuple[Variable, list[str]]:
    """
    Raises:
        NotMapped: ours can't say it.
    """
    notes: list[str] = []
    match kind:
        case "query":
            values: dict[str, Any] = _label_values(_query(source), metric_of, notes)
            if source.get("regex"):
                notes.append("its regular expression is left out, all values are offered")
        case "custom":
            values = {"values": _listed(_query(source), notes)}
        case "constant":
            values = {"values": [_query(source)]}
        case "datasource":
            raise NotMapped("samples come from this server")
        case _:
            raise NotMapped("readers choose from a tag's values or from a list")
    if str(source.get("allValue") or "") not in _ANY:
        notes.append(f"All means all, not {source['allValue']}")
    values |= {
        "name": name, "label": str(source.get("label") or "")[:100],
        "multi": source.get("multi") is True, "all": source.get("includeAll") is True,
    }  # fmt: skip
    if kind != "constant":
        values["default"] = _current(source, values)
    try:
        return Variable.model_validate(values), notes
    except ValidationError as error:
        raise NotMapped(str(from_pydantic(error)).rstrip(".")) from None


def _current(source: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """What was chosen when the dashboard was saved, as far as it can be chosen here; nothing where that was all."""
    current = source.get("current")
    chosen = current.get("value") if isinstance(current, dict) else None
    offered: list[str] | None = values.get("values")
    found = [
        one
        for one in (chosen if isinstance(chosen, list) else [chosen])
        if isinstance(one, str) and one and one != ALL and (offered is None or one in offered)
    ]
    return found[: MOST_CHOSEN if values["multi"] else 1]


def _query(source: dict[str, Any]) -> str:
    query = source.get("query")
    if isinstance(query, dict):
        query = query.get("query")
    return str(query or source.get("definition") or "").strip()


def _label_values(query: str, metric_of: Callable[[str], tuple[str, bool]], notes: list[str]) -> dict[str, str]:
    """The metric and tag of ``label_values(metric{…}, label)``, which is Grafana's own and no PromQL."""
    inside = query.removeprefix("label_values(").removesuffix(")")
    if len(inside) != len(query) - len("label_values()"):
        raise NotMapped("only label_values(metric, label) asks for a tag's values")
    selector, comma, label = inside.rpartition(",")
    if not comma:
        raise NotMapped("its label_values names no metric")
    metric, selects = metric_of(selector.strip())
    if selects:
        notes.append(f"the values of {label.strip()} in all of {metric} are offered, not only those that its matchers select")
    return {"metric": metric, "tag": label.strip()}


def _listed(query: str, notes: list[str]) -> list[str]:
    """The values of a custom variable: ``a, b`` or ``Word : value, …``."""
    values: list[str] = []
    for part in _COMMA.split(query):
        word, colon, value = part.replace("\\,", ",").partition(" : ")
        if colon:
            notes.append(f"the value {value.strip()} is offered as itself, not as {word.strip()}")
        values.append((value if colon else word).strip())
    return [value for value in dict.fromkeys(values) if value]
