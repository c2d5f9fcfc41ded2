"""The editor's form says what the models take, and nothing else."""

from __future__ import annotations

import pytest
from pydantic.alias_generators import to_camel

from dashapp.contract.dashboards import FormField, PanelDefinition, PanelOptions, PanelQuery, Thresholds
from dashapp.panels import PANELS
from dashapp.panels.form import panel_form

OPTIONS = {field.name: field for field in panel_form().options}
QUERY = {field.name: field for field in panel_form().query}


def test_the_form_offers_every_option_and_every_field_of_a_query() -> None:
    wire = {to_camel(name) for name in PanelOptions.model_fields} - {"thresholds", "queries"}
    parts = {f"thresholds.{name}" for name in Thresholds.model_fields}
    assert set(OPTIONS) | set(QUERY) - {"query"} == wire | parts
    assert set(QUERY) == {to_camel(name) for name in PanelQuery.model_fields}


def test_types_heed_options_that_there_are() -> None:
    types = panel_form().types
    assert [one.type for one in types] == list(PANELS)
    for one in types:
        # What asks for no metric may heed what is a query's otherwise.
        assert set(one.options) <= set(OPTIONS) | (set() if one.asks else set(QUERY)), one.type
        assert one.label
        assert one.about
        assert one.sketch.startswith("M")


def test_every_option_is_heeded_by_some_type() -> None:
    assert set(OPTIONS) <= {name for one in panel_form().types for name in one.options}


def _nested(field: FormField, value: object) -> dict[str, object]:
    head, _, rest = field.name.partition(".")
    return {head: {rest: value} if rest else value}


@pytest.mark.parametrize("field", OPTIONS.values(), ids=lambda field: field.name)
def test_what_the_form_offers_is_taken(field: FormField) -> None:
    values: list[object] = [field.default] if field.default is not None else []
    values += [choice.value for choice in field.choices] if field.kind == "choice" else []
    values += [[choice.value for choice in field.choices]] if field.kind == "choices" else []
    values += [bound for bound in (field.minimum, field.maximum) if bound is not None]
    for value in values:
        PanelDefinition.model_validate({"title": "A", "type": "line", "query": "a", "options": _nested(field, value)})


@pytest.mark.parametrize(("name", "kind"), [
    ("unit", "choice"), ("decimals", "integer"), ("min", "number"), ("color", "color"), ("stack", "switch"), ("legend", "choices"),
    ("step", "text"), ("thresholds.warning", "number"),
])  # fmt: skip
def test_controls_fit_what_they_take(name: str, kind: str) -> None:
    assert OPTIONS[name].kind == kind


def test_bounds_come_from_the_models() -> None:
    assert (OPTIONS["decimals"].minimum, OPTIONS["decimals"].maximum) == (0, 6)
    assert {name: QUERY[name].kind for name in ("query", "tags", "groupBy", "alias")} == {
        "query": "metric", "tags": "tags", "groupBy": "tagKeys", "alias": "text",
    }  # fmt: skip
