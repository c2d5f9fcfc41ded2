"""The YAML form of a dashboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashapp.contract import documents
from dashapp.contract.dashboards import PanelDefinition, PanelOptions, PanelQuery, Position, Thresholds
from dashapp.contract.documents import DashboardDocument, dump, parse
from dashapp.dashboards.files import placed, read_file
from dashapp.errors import ValidationFailed

ROOT = Path(__file__).parents[2]

_texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=40)
_titles = _texts.map(str.strip).filter(bool)
_names = st.sampled_from(["cpu.usage", "y", "null", "on", "_1e3"])
_numbers = st.none() | st.floats(-1e6, 1e6) | st.integers(-(10**18), 10**18).map(float)
_tags = st.dictionaries(_names, _texts, max_size=3)
_queries = st.builds(PanelQuery, query=_names, tags=_tags, group_by=st.lists(_names, max_size=2), alias=st.none() | _texts)
_thresholds = st.builds(Thresholds, warning=_numbers, critical=_numbers)
_options = st.builds(
    PanelOptions, unit=st.sampled_from(["", "percent", "bytes/s"]), thresholds=_thresholds,
    step=st.none() | st.sampled_from(["1s", "1m", "1h"]), stack=st.booleans(), tags=_tags, alias=st.none() | _texts,
    queries=st.lists(_queries, max_size=2), limit=st.none() | st.integers(1, 100),
)  # fmt: skip
_positions = st.tuples(st.integers(0, 6), st.integers(0, 50), st.integers(1, 6), st.integers(1, 8)).map(
    lambda p: Position(x=p[0], y=p[1], w=p[2], h=p[3])
)
_panels = st.builds(
    PanelDefinition, title=_titles, type=st.sampled_from(["line", "stat"]), query=_names, options=_options, position=_positions
)
_documents = st.builds(
    DashboardDocument, name=_titles, description=st.just("") | _texts | st.just("two\nlines: x\n"), is_public=st.booleans(),
    id=st.none() | st.uuids(), panels=st.lists(_panels, max_size=4),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(_documents)
def test_a_text_that_is_read_is_written_the_same(document: DashboardDocument) -> None:
    text = dump(document)
    again = parse(text, "x.yaml")
    assert dump(again) == text

    def key(panel: PanelDefinition) -> str:
        return panel.model_dump_json()

    assert sorted(again.panels, key=key) == sorted(document.panels, key=key)
    assert again.model_copy(update={"panels": []}) == document.model_copy(update={"panels": []})


def test_the_form() -> None:
    options = PanelOptions(tags={"b": "1", "a": "x"}, thresholds=Thresholds(critical=0.5, warning=90))
    panel = PanelDefinition(title="Load", type="line", query="load.1m", options=options, position=Position(x=0, y=4, w=6, h=4))
    first = PanelDefinition(title="First", type="stat", query="load.1m", position=Position(x=6, y=0, w=6, h=4))
    assert dump(DashboardDocument(name="One", panels=[panel, first])) == (
        "name: One\n"
        "panels:\n"
        "  - title: First\n    type: stat\n    query: load.1m\n    position: {x: 6, y: 0, w: 6, h: 4}\n"
        "  - title: Load\n    type: line\n    query: load.1m\n"
        "    options: {thresholds: {warning: 90, critical: 0.5}, tags: {a: x, b: '1'}}\n"
        "    position: {x: 0, y: 4, w: 6, h: 4}\n"
    )


def test_errors_in_anchored_and_merged_parts_have_a_line() -> None:
    text = "name: x\npanels:\n  - &a {title: A, type: line, query: a}\n  - {<<: *a, title: B, colour: red}\n"
    with pytest.raises(ValidationFailed, match=r"^x\.yaml:4: panels\.1\.colour: "):
        parse(text, "x.yaml")
    assert [panel.query for panel in parse(text.replace(", colour: red", ""), "x.yaml").panels] == ["a", "a"]


def test_panels_without_a_place_get_one() -> None:
    document = parse("name: x\npanels:\n" + "  - {title: A, type: line, query: a}\n" * 3, "x.yaml")
    assert [(p.position.x, p.position.y) for p in placed(document).panels] == [(0, 0), (6, 0), (0, 4)]


def test_the_schema_for_editors_is_current() -> None:
    assert (ROOT / "docs" / "dashboard.schema.json").read_text() == documents.schema(), "make openapi"


def test_the_examples_survive_the_form() -> None:
    document = read_file(ROOT / "data" / "this-host.yaml")
    assert parse(dump(document), "x") == document
