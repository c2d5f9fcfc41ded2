"""A dashboard's variables: what its readers choose, and panels ask for by name.

A variable's name stands in a panel's title, its Markdown, its series' names and its tag filters, as ``$host`` or
``${host}``; ``$$`` is a dollar. In a filter it is the whole value, and several chosen values mean any of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from dashapp.contract.base import StorableModel
from dashapp.contract.metrics import LONGEST_TAG_VALUE, MetricName, TagKey, TagValue
from dashapp.errors import ValidationFailed

if TYPE_CHECKING:
    from dashapp.contract.dashboards import PanelDefinition

MOST_VARIABLES = 20
#: Values that a link may choose of one variable.
MOST_CHOSEN = 100
#: The parameter of a page's link that chooses a value is the variable's name after this.
LINK_PREFIX = "var-"
#: What a link says for all values, where nothing said is a default.
ALL = "$__all"
_REFERENCE = re.compile(r"\$(?:\$|\{([a-zA-Z_]\w*)\}|([a-zA-Z_]\w*))")

VariableName = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
#: By variable its chosen values, sorted; none for all. Hashable: viewers who chose the same share a board.
Chosen = tuple[tuple[str, tuple[str, ...]], ...]


_TEXT, _NOTHING = {"type": "string"}, {"type": "null"}
_SOURCES: list[Any] = [
    {"required": ["metric", "tag"], "properties": {"metric": _TEXT, "tag": _TEXT, "values": {"maxItems": 0}}},
    {"required": ["values"], "properties": {"metric": _NOTHING, "tag": _NOTHING, "values": {"minItems": 1}}},
]
#: One default, or several where several can be chosen.
_DEFAULT: dict[str, Any] = {
    "anyOf": [{"properties": {"default": {"maxItems": 1}}}, {"required": ["multi"], "properties": {"multi": {"const": True}}}]
}


class Variable(StorableModel):
    """What readers of a dashboard choose from: the values of a metric's tag, or a list."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _SOURCES, "allOf": [_DEFAULT]})

    name: VariableName = Field(description="As panels write it: `$name`.")
    label: str = Field(default="", max_length=100, description="What the page calls it; the name when missing.")
    metric: MetricName | None = Field(default=None, description="The metric whose tag's values are offered.")
    tag: TagKey | None = Field(default=None, description="The tag whose values are offered.")
    values: list[TagValue] = Field(default_factory=list, max_length=1000, description="What is offered instead, in this order.")
    multi: bool = Field(default=False, description="Whether several values can be chosen at once.")
    all: bool = Field(
        default=True, description="Whether all can be chosen; it is what shows first unless `default` says otherwise."
    )
    default: list[TagValue] = Field(
        default_factory=list, max_length=MOST_CHOSEN, description="What is chosen where nobody says: else all, or the first value."
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Variable:
        if bool(self.values) == (self.metric is not None or self.tag is not None):
            raise ValueError("a variable takes its values either from a metric's tag (metric and tag) or from a list (values)")
        if not self.values and (self.metric is None or self.tag is None):
            raise ValueError("a variable of a tag's values has both metric and tag")
        return self

    @model_validator(mode="after")
    def _default_can_be_chosen(self) -> Variable:
        if len(self.default) > 1 and not self.multi:
            raise ValueError("a variable of which one value is chosen (multi: false) has one default")
        if self.values and (unknown := [value for value in self.default if value not in self.values]):
            raise ValueError(f"the default {unknown[0]!r} is none of the variable's values")
        return self

    @property
    def shown(self) -> str:
        return self.label or self.name

    def filter(self, chosen: tuple[str, ...]) -> list[str] | None:
        """The values of which a series may have any; None for whatever there is."""
        return list(chosen or self.values) or None

    def in_words(self, chosen: tuple[str, ...]) -> str:
        return ", ".join(chosen) if chosen else "all"


def check_names(variables: Iterable[Variable]) -> None:
    """
    Raises:
        ValueError: two have one name.
    """
    seen: set[str] = set()
    for variable in variables:
        if variable.name in seen:
            raise ValueError(f"two variables are named {variable.name}")
        seen.add(variable.name)


def check_known(names: Iterable[str], variables: Iterable[Variable]) -> None:
    """
    Raises:
        ValidationFailed: one of the names is none of the variables'.
    """
    known = [variable.name for variable in variables]
    for name in names:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValidationFailed(f"{name!r} is no variable of this dashboard; {has}.", details={name: "no such variable"})


def asked_in(parameters: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The values that a link's parameters choose, by variable: ``var-host=a&var-host=b``."""
    asked: dict[str, list[str]] = {}
    for key, value in parameters:
        if key.startswith(LINK_PREFIX):
            asked.setdefault(key.removeprefix(LINK_PREFIX), []).append(value)
    return asked


def picked(variable: Variable, asked: Mapping[str, Iterable[str]]) -> tuple[str, ...] | None:
    """What is chosen of a variable, sorted; none for all. None where that is its first value, which the caller has to know."""
    said = [value for value in asked.get(variable.name, ()) if _can_be_a_tag(value) and (variable.all or value != ALL)]
    values = said or variable.default
    if ALL in said or not values:
        return () if variable.all else None
    return tuple(sorted(set(values[:MOST_CHOSEN] if variable.multi else values[:1])))


def chosen_in(variables: Iterable[Variable], asked: Mapping[str, Iterable[str]], known: Mapping[str, list[str]]) -> Chosen:
    """What is chosen where somebody asks for these values by variable; `known` are the values that there are, for variables
    that can't be all: then the first of them is chosen.
    """
    chosen = []
    for variable in variables:
        values = picked(variable, asked)
        if values is None:
            values = tuple((variable.values or known.get(variable.name, []))[:1])
        chosen.append((variable.name, values))
    return tuple(chosen)


def asking(chosen: Chosen, said: Collection[str]) -> dict[str, list[str]]:
    """What asks for exactly this of the variables that are in `said`, whatever the defaults are; others follow their defaults."""
    return {name: list(values) or [ALL] for name, values in chosen if name in said}


def _can_be_a_tag(value: str) -> bool:
    return len(value) <= LONGEST_TAG_VALUE and not any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in value)


def substituted(definition: PanelDefinition, variables: Iterable[Variable], chosen: Chosen) -> PanelDefinition:
    """The panel as it is drawn with these values.

    Raises:
        ValidationFailed: a filter asks for a variable that the dashboard doesn't have.
    """
    known, values = {variable.name: variable for variable in variables}, dict(chosen)

    def text(words: str) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name is None:
                return "$"
            # A dollar before another word is just a dollar.
            return known[name].in_words(values.get(name, ())) if name in known else found[0]

        return _REFERENCE.sub(value, words)

    def filters(tags: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
        asked: dict[str, str | list[str]] = {}
        for key, value in tags.items():
            wanted: list[str] | None = []
            for part in [value] if isinstance(value, str) else value:
                more = _values(part, known, values)
                wanted = None if more is None or wanted is None else [*wanted, *more]
            if wanted is not None:
                asked[key] = wanted[0] if len(wanted) == 1 else sorted(set(wanted))
        return asked

    options = definition.options
    changes = {
        "tags": filters(options.tags),
        "alias": options.alias and text(options.alias),
        "content": text(options.content),
        "matching": text(options.matching),
        "queries": [
            query.model_copy(update={"tags": filters(query.tags), "alias": query.alias and text(query.alias)})
            for query in options.queries
        ],
    }
    return definition.model_copy(update={"title": text(definition.title), "options": options.model_copy(update=changes)})


def refers(value: str | list[str]) -> bool:
    """Whether a filter's value is a variable."""
    found = [_REFERENCE.fullmatch(part) for part in ([value] if isinstance(value, str) else value)]
    return any(one is not None and one[0] != "$$" for one in found)


def _values(part: str, known: Mapping[str, Variable], chosen: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """The values that a filter's one value stands for; None for any."""
    found = _REFERENCE.fullmatch(part)
    if found is None:
        return [part[1:] if part.startswith("$$") else part]
    name = found[1] or found[2]
    if name is None:
        return ["$"]
    if name not in known:
        names = ", ".join(f"${other}" for other in known)
        has = f"it has {names}" if names else "it has none; the dashboard's settings add one"
        raise ValidationFailed(f"${name} is no variable of this dashboard; {has}.")
    return known[name].filter(chosen.get(name, ()))
