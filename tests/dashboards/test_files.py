from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from uuid import UUID

import pytest

from dashapp.contract.dashboards import DashboardUpdate
from dashapp.dashboards.files import files_in, load_examples, parse, read_file
from dashapp.dashboards.store import Dashboards
from dashapp.errors import ValidationFailed

GOOD = """\
name: This host
description: What this machine does.
isPublic: true
panels:
  - title: CPU
    type: area
    query: system.cpu.usage
    options: {unit: percent, max: 100, groupBy: [core], thresholds: {warning: 80}}
    position: {x: 0, y: 0, w: 12, h: 4}
  - {title: Load, type: stat, query: system.load}
"""


def test_reads_the_apis_models() -> None:
    request = parse(GOOD, "host.yaml")
    assert (request.name, request.is_public) == ("This host", True)
    assert request.panels[0].options.group_by == ["core"]
    assert "position" not in request.panels[1].model_fields_set


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("percent", "parsec"), r"host\.yaml:8: panels\.0\.options\.unit: "),
        (GOOD.replace("isPublic", "public"), r"host\.yaml:3: public: Extra"),
        (GOOD.replace("query: system.load", "query: system load"), r"host\.yaml:10: panels\.1\.query: "),
        ('name: "a\\0b"', r"host\.yaml:1: name: text holds no NUL"),
        ("name: [", r"host\.yaml:\d: no valid YAML"),
        ("name: x\n\tpanels: []", r"host\.yaml:2: no valid YAML"),
        ("- a", r"host\.yaml:1: a dashboard's file is a mapping"),
        ("", r"host\.yaml: a dashboard's file is a mapping"),
        ("!!python/object/apply:os.system ['true']", r"host\.yaml:1: no valid YAML"),
        ("[" * 5000, r"host\.yaml.*: no valid YAML"),
        (GOOD.replace("    type: area\n", ""), r"host\.yaml:5: panels\.0\.type: Field required"),
        (GOOD.replace("w: 12", "w: 13"), r"host\.yaml:9: panels\.0\.position\.w: "),
        (GOOD + "name: again\n", r"host\.yaml:11: name comes twice"),
        ("name: 2024-99-99", r"host\.yaml"),
    ],
)
def test_errors_name_file_and_field(text: str, says: str) -> None:
    with pytest.raises(ValidationFailed, match=says):
        parse(text, "host.yaml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match=r"^gone\.yaml: can't be read"):
        read_file(tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: ü".encode("latin-1"))
    with pytest.raises(ValidationFailed, match=r"^latin\.yaml: can't be read \(no UTF-8"):
        read_file(tmp_path / "latin.yaml")


async def test_examples_are_loaded_once_ever(store: Dashboards, owner: UUID, tmp_path: Path) -> None:
    (tmp_path / "host.yaml").write_text(GOOD)
    (tmp_path / "two.yml").write_text("name: Two")
    made = await load_examples(store, owner, tmp_path)
    assert [d.name for d in made] == ["This host", "Two"]
    assert await load_examples(store, owner, tmp_path) == []

    await store.delete(made[0].id)
    await store.update(made[1].id, DashboardUpdate(name="Renamed"))
    (tmp_path / "three.yaml").write_text("name: Three")
    assert [d.name for d in await load_examples(store, owner, tmp_path)] == ["Three"]
    assert {d.name for d in (await store.list_for(owner, False))[0]} == {"Renamed", "Three"}


async def test_a_broken_example_is_logged_and_left_out(
    store: Dashboards, owner: UUID, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.yaml").write_text("name: x\ncolour: red")
    (tmp_path / "good.yaml").write_text("name: Good")
    with caplog.at_level(logging.ERROR):
        assert [d.name for d in await load_examples(store, owner, tmp_path)] == ["Good"]
    assert "bad.yaml:2: colour" in caplog.text
    (tmp_path / "bad.yaml").write_text("name: x")
    assert [d.name for d in await load_examples(store, owner, tmp_path)] == ["x"], "once mended it is loaded"


async def test_two_starts_at_once_load_one(store: Dashboards, owner: UUID, tmp_path: Path) -> None:
    (tmp_path / "host.yaml").write_text(GOOD)
    made = await asyncio.gather(*(load_examples(store, owner, tmp_path) for _ in range(4)))
    assert sum(map(len, made)) == 1


async def test_no_directory_no_examples(store: Dashboards, owner: UUID, tmp_path: Path) -> None:
    assert await load_examples(store, owner, tmp_path / "none") == []


@pytest.mark.parametrize("path", files_in(Path(__file__).parents[2] / "data"), ids=lambda path: path.name)
def test_the_examples_of_the_house_are_valid(path: Path) -> None:
    read_file(path)
