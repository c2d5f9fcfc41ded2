"""Variables: what they stand for in a panel, what links choose of them, and how they are stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dashapp.contract.dashboards import DashboardRequest, DashboardUpdate, PanelDefinition
from dashapp.contract.documents import document_of, dump, parse
from dashapp.contract.metrics import Selection
from dashapp.contract.variables import ALL, Variable, asking, chosen_in, refers, substituted
from dashapp.dashboards.store import Dashboards
from dashapp.errors import ValidationFailed

HOST = Variable(name="host", metric="cpu.usage", tag="host", multi=True)
STAGE = Variable(name="stage", label="Stage", values=["prod", "test"])


def panel(**options: Any) -> PanelDefinition:
    return PanelDefinition.model_validate({"title": "CPU of $host", "type": "line", "query": "cpu.usage", "options": options})


def drawn(definition: PanelDefinition, **chosen: tuple[str, ...]) -> PanelDefinition:
    return substituted(definition, [HOST, STAGE], tuple(chosen.items()))


def test_a_filter_takes_the_chosen_values() -> None:
    one = panel(tags={"host": "$host", "stage": "${stage}", "cpu": "all"})
    assert drawn(one, host=("a",), stage=("prod",)).options.tags == {"host": "a", "stage": "prod", "cpu": "all"}
    assert drawn(one, host=("a", "b"), stage=()).options.tags == {"host": ["a", "b"], "stage": ["prod", "test"], "cpu": "all"}
    # All of a tag's values is no filter: hosts that come later are shown as well.
    assert "host" not in drawn(one, host=()).options.tags
    assert drawn(panel(tags={"host": ["x", "$host"]}), host=("a", "x")).options.tags == {"host": ["a", "x"]}
    queries = drawn(panel(queries=[{"query": "m", "tags": {"host": "$host"}}]), host=("a",)).options.queries
    assert queries[0].tags == {"host": "a"}
    assert [selection.tags for selection, _ in drawn(one, host=("b",), stage=("test",)).selections()] == [
        {"host": "b", "stage": "test", "cpu": "all"}
    ]


def test_words_take_names_and_leave_other_dollars() -> None:
    one = panel(alias="$stage {cpu}", content="costs $$5 and $5, on ${host}, $nothing")
    shown = drawn(one, host=("a", "b"), stage=("prod",))
    assert (shown.title, shown.options.alias) == ("CPU of a, b", "prod {cpu}")
    assert shown.options.content == "costs $5 and $5, on a, b, $nothing"
    assert drawn(one, host=()).title == "CPU of all"
    assert drawn(panel(tags={"price": "$$host"})).options.tags == {"price": "$host"}
    assert drawn(panel(tags={"path": "a-$host"})).options.tags == {"path": "a-$host"}


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(ValidationFailed, match=r"^\$hots is no variable of this dashboard; it has \$host, \$stage\.$"):
        drawn(panel(tags={"host": "$hots"}))
    with pytest.raises(ValidationFailed, match="it has none"):
        substituted(panel(tags={"host": "$hots"}), [], ())
    assert [refers(value) for value in ("$host", ["a", "${host}"], "$$", "a$host")] == [True, True, False, False]


def test_what_a_link_chooses() -> None:
    first = Variable(name="disk", metric="disk.used", tag="disk", all=False)
    asked = {"host": ["b", "a", "b"], "stage": ["test", "prod"], "other": ["x"]}
    assert chosen_in([HOST, STAGE, first], asked, {"disk": ["sda", "sdb"]}) == (
        ("host", ("a", "b")), ("stage", ("test",)), ("disk", ("sda",)),
    )  # fmt: skip
    assert chosen_in([HOST, first], {"host": ["x" * 257, "\x00", "\ud800"]}, {}) == (("host", ()), ("disk", ()))


def test_what_nobody_chose_is_as_the_default_has_it() -> None:
    host = HOST.model_copy(update={"default": ["b", "a"]})
    stage = STAGE.model_copy(update={"default": ["test"], "all": False})
    assert chosen_in([host, stage], {}, {}) == (("host", ("a", "b")), ("stage", ("test",)))
    assert chosen_in([host, stage], {"host": ["c"], "stage": ["prod"]}, {}) == (("host", ("c",)), ("stage", ("prod",)))
    # All is said as such; where it can't be chosen, nothing is said.
    assert chosen_in([host, stage], {"host": [ALL], "stage": [ALL]}, {}) == (("host", ()), ("stage", ("test",)))
    assert chosen_in([host], {"host": ["\x00"]}, {}) == (("host", ("a", "b")),)


@given(
    st.lists(st.sampled_from(["a", "b", ALL])), st.lists(st.sampled_from(["a", "b"]), max_size=1), st.booleans(), st.booleans()
)  # fmt: skip
def test_what_is_chosen_can_be_asked_for_again_whatever_the_default(
    asked: list[str], default: list[str], multi: bool, every: bool
) -> None:
    one = Variable(name="host", values=["a", "b"], multi=multi, all=every, default=default)
    chosen = chosen_in([one], {"host": asked}, {})
    other = one.model_copy(update={"default": ["b"]})
    assert chosen_in([other], asking(chosen, ["host"]), {}) == chosen
    assert chosen_in([other], asking(chosen, []), {}) == (("host", ("b",)),)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a"}, {"name": "a", "metric": "m"}, {"name": "a", "tag": "t"}, {"name": "a-b", "values": ["x"]},
        {"name": "a", "metric": "m", "tag": "t", "values": ["x"]}, {"name": "", "values": ["x"]},
        {"name": "a", "values": ["x"], "default": ["y"]}, {"name": "a", "values": ["x", "y"], "default": ["x", "y"]},
    ],
)  # fmt: skip
def test_a_variable_has_a_name_and_one_source(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Variable.model_validate(fields)


def test_several_values_are_one_question_however_they_are_written() -> None:
    assert Selection(query="m", tags={"a": ["y", "x", "y"]}) == Selection(query="m", tags={"a": ["x", "y"]})
    assert Selection(query="m", tags={"a": ["x"]}) == Selection(query="m", tags={"a": "x"})
    assert Selection(query="m", tags={"a": list("wxyz"), "b": "1"}).described() == "m with a=w or x or y or 1 more, b=1"
    for bad in ([], 5, [5], ["x" * 257], ["\x00"], "\ud800"):
        with pytest.raises(ValidationError):
            Selection.model_validate({"query": "m", "tags": {"a": bad}})


async def test_they_are_stored_and_written_to_files(store: Dashboards, owner: UUID) -> None:
    made = await store.create(owner, DashboardRequest(name="V", variables=[HOST, STAGE], panels=[panel(tags={"host": "$host"})]))
    assert made.variables == [HOST, STAGE]
    text = dump(document_of(made))
    assert "  - name: host\n    metric: cpu.usage\n    tag: host\n    multi: true\n" in text
    assert parse(text, "v.yaml").variables == made.variables
    changed = await store.update(made.id, DashboardUpdate(variables=[STAGE], version=made.version))
    assert (changed.variables, changed.version) == ([STAGE], made.version + 1)
    kept = await store.update(made.id, DashboardUpdate(name="W"))
    assert kept.variables == [STAGE]
    assert (await store.replace(made.id, parse(text, "v.yaml"))).variables == [HOST, STAGE]


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two variables are named host"):
        DashboardRequest(name="V", variables=[HOST, HOST])
