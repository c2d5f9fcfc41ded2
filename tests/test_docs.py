"""The documentation names what the code has, its links lead somewhere, and the tests that it cites exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import click
import pytest
import typer.main
from pydantic import BaseModel, SecretStr
from pydantic.alias_generators import to_camel

import dashapp.cli.app
from dashapp.alerts.evaluator import Figures
from dashapp.alerts.sender import Sent
from dashapp.api import figures
from dashapp.contract.dashboards import (
    Calculation,
    LegendFigure,
    NullHandling,
    PanelDefinition,
    PanelOptions,
    PanelQuery,
    PanelType,
    Position,
    Thresholds,
    ThresholdStyle,
    Unit,
)
from dashapp.contract.durations import format_ms
from dashapp.contract.metrics import Aggregation
from dashapp.dashboards.files import parse
from dashapp.database import schema
from dashapp.panels.card import State
from dashapp.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next heading."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,6}} |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[2]


def rows(markdown: str) -> dict[str, list[str]]:
    """The rows of its tables by each name in backticks in their first cell."""
    named: dict[str, list[str]] = {}
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells:
            named |= {name: cells[1:] for name in re.findall(r"`([^`]*)`", cells[0])}
    return named


# -- settings ----------------------------------------------------------------------------------------------------------


def _default(name: str) -> str | None:
    default: Any = Settings.model_fields[name].default
    if Settings.model_fields[name].default_factory:
        return None
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, timedelta):
        default = format_ms(default // timedelta(milliseconds=1))
    return "empty" if default == "" else f"`{default}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    documented = rows(section(text("docs/operations.md"), "Settings"))
    assert f"DASHAPP_{name.upper()}" in documented
    default, meaning = documented[f"DASHAPP_{name.upper()}"]
    assert meaning
    assert default == (_default(name) or default)


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml"])
def test_containers_set_what_there_is_to_set(file: str) -> None:
    named = {name.lower() for name in re.findall(r"DASHAPP_(\w+)\s*[=:]", text(file))}
    assert named
    assert named <= set(Settings.model_fields)


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = rows(section(text("docs/operations.md"), "Settings"))
    assert list(documented) == [f"DASHAPP_{name.upper()}" for name in Settings.model_fields]


# -- commands ----------------------------------------------------------------------------------------------------------


def commands(command: click.Command | None = None, path: str = "dashapp") -> Iterator[tuple[str, click.Command]]:
    command = command or typer.main.get_command(dashapp.cli.app.app)
    within: dict[str, click.Command] = getattr(command, "commands", {})
    for name, inner in within.items():
        yield from commands(inner, f"{path} {name}")
    if not within:
        yield path, command


def options(command: click.Command) -> Iterator[Any]:
    return (part for part in command.params if part.param_type_name == "option" and not getattr(part, "hidden", False))


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_is_documented_with_its_options(path: str, command: click.Command) -> None:
    below = section(text("docs/operations.md"), f"`{path}`")
    long = [name for option in options(command) for name in option.opts if name.startswith("--")]
    assert list(rows(below)) == long
    for part in command.params:
        if part.param_type_name == "argument":
            assert re.search(rf"`{path}(?: [A-Z]+)* {str(part.name).upper()}[ `]", below)
    for option in options(command):
        if variable := option.envvar:
            assert f"`{variable}`" in below


def test_the_programs_own_options_are_documented() -> None:
    root = typer.main.get_command(dashapp.cli.app.app)
    for option in options(root):
        assert f"`dashapp {option.opts[0]}`" in text("docs/operations.md")


def test_no_command_is_documented_that_does_not_exist() -> None:
    headings = re.findall(r"^### `(dashapp [^`]*)`$", text("docs/operations.md"), re.MULTILINE)
    assert sorted(headings) == sorted(path for path, _ in commands())


# -- panels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "title"),
    [(PanelOptions, "Options"), (PanelQuery, "Several queries"), (PanelDefinition, "Panels")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_field_of_a_panel_is_documented(model: type[BaseModel], title: str) -> None:
    documented = rows(section(text("docs/dashboards.md"), title))
    fields = [to_camel(name) for name in model.model_fields]
    kinds = list(get_args(PanelType)) if model is PanelDefinition else []
    assert list(documented) == [*fields, *kinds]
    assert all(all(cells) for cells in documented.values())


def test_the_parts_of_positions_and_thresholds_are_named() -> None:
    panels = section(text("docs/dashboards.md"), "Panels")
    assert [name for name in Position.model_fields if f"`{name}`" not in panels] == []
    assert f"`{{{', '.join(Thresholds.model_fields)}}}`" in rows(section(text("docs/dashboards.md"), "Options"))["thresholds"][-1]


def test_every_unit_is_documented() -> None:
    documented = rows(section(text("docs/dashboards.md"), "Units"))
    assert sorted(documented) == sorted(unit or '""' for unit in get_args(Unit))


def test_every_state_is_documented() -> None:
    assert list(rows(section(text("docs/dashboards.md"), "States"))) == list(get_args(State))


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("calculation", Calculation),
        ("aggregation", Aggregation),
        ("nullHandling", NullHandling),
        ("thresholdStyle", ThresholdStyle),
        ("legend", LegendFigure),
    ],
)
def test_every_choice_of_an_option_is_named(option: str, kind: Any) -> None:
    cells = " ".join(rows(section(text("docs/dashboards.md"), "Options"))[option])
    assert [choice for choice in get_args(kind) if f"`{choice}`" not in cells] == []


def test_the_example_file_is_a_dashboard() -> None:
    example = re.search(r"```yaml\n(.*?)```", text("docs/dashboards.md"), re.DOTALL)
    assert example
    assert parse(example[1], "docs/dashboards.md").panels


# -- the rest of the outside ------------------------------------------------------------------------------------------


def test_every_root_endpoint_is_documented() -> None:
    served = re.findall(r'@app\.get\("(/\w+)"', text("dashapp/server.py"))
    assert served == ["/healthz", "/readyz", "/metrics"]
    documented = rows(section(text("docs/operations.md"), "Health"))
    assert [path for path in served if path not in documented] == []


def test_every_figure_of_metrics_is_documented() -> None:
    cached = SimpleNamespace(hits=0, misses=0)
    ingest = SimpleNamespace(samples_written=0, waiting=0, left_out={})
    services: Any = SimpleNamespace(
        hub=SimpleNamespace(viewers=0, windows_held=0), cached=cached, ingest=ingest, evaluator=SimpleNamespace(figures=Figures()),
        sender=SimpleNamespace(figures=Sent()), report_runner=SimpleNamespace(figures=Sent()),
        active_alerts=SimpleNamespace(now=[]),
    )  # fmt: skip
    named = {metric.name for metric in figures.registry(services, lambda: 0, lambda: 0).collect()}
    documented = {name.removesuffix("_total") for name in rows(section(text("docs/operations.md"), "Health"))}
    assert named - documented == set()


def test_every_table_is_documented() -> None:
    assert set(schema.metadata.tables) - set(rows(section(text("docs/storage.md"), "Tables"))) == set()


def test_every_package_has_a_floor() -> None:
    packages = {path.parent.name for path in (ROOT / "dashapp").glob("*/__init__.py")}
    named = set(re.findall(r"`dashapp\.(\w+)`", section(text("docs/architecture.md"), "Floors")))
    assert packages - named == set()
    assert {name for name in named if not list((ROOT / "dashapp").glob(f"{name}*"))} == set()


@cache
def _said() -> str:
    """All that the code may say, a line each; what is formatted in breaks a line."""
    strings = (
        node.value
        for file in sorted((ROOT / "dashapp").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return "\n".join(strings).replace("`", "")


def test_startup_errors_are_quoted_as_they_are() -> None:
    table = section(text("docs/operations.md"), "When it doesn't start")
    sentences = re.findall(r"^\| `([^`]*)` \|", table, re.MULTILINE)
    assert len(sentences) > 20
    for sentence in sentences:
        for part in re.split(r"…|; |'dashapp'", sentence):
            assert part.strip(" .") in _said(), sentence


# -- links and names --------------------------------------------------------------------------------------------------


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def test_the_tests_that_security_cites_exist() -> None:
    cited = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text("docs/security.md"))
    assert cited
    missing = [f"{path}::{name}" for path, name in cited if name not in _functions(path)]
    assert missing == []


def _functions(path: str) -> set[str]:
    if not (ROOT / path).exists():
        return set()
    nodes = ast.walk(ast.parse(text(path)))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_files_that_are_named_exist() -> None:
    """Paths in backticks, as ``dashapp/pages/sockets.py``."""
    missing = [
        f"{page.name}: {path}"
        for page in PAGES
        for path in re.findall(r"`((?:dashapp|tests|data|docs)/[\w./-]+)`", _prose(page))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_decisions_are_numbered_and_say_the_three_things() -> None:
    files = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert numbers == sorted(set(numbers))
    for file in files:
        assert re.findall(r"^## (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert file.read_text(encoding="utf-8").startswith(f"# {int(file.name[:4])}. ")
