"""``dashapp dashboards``: dashboards as files, between a folder and a server."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashapp.cli.where import ServerDataDir, ServerToken, ServerUrl
from dashapp.errors import StartupError, ValidationFailed

if TYPE_CHECKING:
    from dashapp.client import Client
    from dashapp.contract.dashboards import DashboardSummary
    from dashapp.contract.documents import DashboardDocument

app = typer.Typer(help="Dashboards as YAML files.", no_args_is_help=True)


@app.callback()
def _dashboards() -> None:
    """Dashboards as YAML files."""


@dataclass(frozen=True)
class _File:
    path: Path
    document: DashboardDocument

    def text(self, stored: DashboardSummary | None) -> str:
        """Its canonical text, with the id of the stored dashboard that it is about."""
        from dashapp.contract.documents import dump

        return dump(self.document if stored is None else self.document.model_copy(update={"id": stored.id}))


def _read(paths: Iterable[Path]) -> list[_File]:
    """
    Raises:
        ValidationFailed: files are wrong, all of which are named, or two are about one dashboard.
    """
    from dashapp.dashboards.files import placed, read_file

    files: list[_File] = []
    wrong: list[str] = []
    for path in paths:
        try:
            files.append(_File(path, placed(read_file(path))))
        except ValidationFailed as error:
            wrong.append(str(error))
    if wrong:
        raise ValidationFailed("\n".join(wrong))
    seen: dict[object, Path] = {}
    for file in files:
        key = file.document.id or file.document.name
        if key in seen:
            raise ValidationFailed(f"{seen[key].name} and {file.path.name} are the same dashboard, {key}; take one away.")
        seen[key] = file.path
    return files


class _Stored:
    """The server's dashboards that the account may see."""

    def __init__(self, client: Client) -> None:
        self.all, me = client.dashboards(), client.me().id
        self.own = [dashboard for dashboard in self.all if dashboard.owner_id == me]

    def about(self, file: DashboardDocument) -> DashboardSummary | None:
        """The one that a file is about, as the server would judge."""
        if file.id is not None:
            return next((dashboard for dashboard in self.all if dashboard.id == file.id), None)
        named = [dashboard for dashboard in self.own if dashboard.name == file.name]
        if len(named) > 1:
            ids = ", ".join(str(dashboard.id) for dashboard in named)
            raise ValidationFailed(f"You have several dashboards named {file.name!r}; say in the file which is meant, id: {ids}.")
        return named[0] if named else None


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "dashboard"


def _free(directory: Path, name: str, taken: set[Path]) -> Path:
    numbers = (f"{_slug(name)}{'' if number == 1 else f'-{number}'}.yaml" for number in range(1, 100_000))
    return next(path for file in numbers if (path := directory / file) not in taken and not path.exists())


@app.command("pull")
def pull(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files; made if there is none.")],
    url: ServerUrl = None,
    token: ServerToken = None,
    data_dir: ServerDataDir = None,
) -> None:
    """Write all dashboards that you may see as YAML files. A file that says the same already is left as it is."""
    from dashapp.client import connect
    from dashapp.dashboards.files import files_in

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"{directory} can't be made ({error.strerror}).") from None
    files = _read(files_in(directory))
    taken: set[Path] = set()
    with connect(url, token, data_dir=data_dir) as client:
        server = _Stored(client)
        about = {stored.id: file for file in files if (stored := server.about(file.document))}
        for dashboard in server.all:
            text = client.definition(dashboard.id)
            file = about.get(dashboard.id)
            path = file.path if file else _free(directory, dashboard.name, taken)
            taken.add(path)
            if file and file.text(dashboard) == text:
                typer.echo(f"{path}: unchanged")
                continue
            path.write_text(text, encoding="utf-8")
            typer.echo(f"{path}: {'changed' if file else 'new'}")


@app.command("push")
def push(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the files, or one file.")],
    url: ServerUrl = None,
    token: ServerToken = None,
    data_dir: ServerDataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete dashboards of yours that no file is about.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Make the server's dashboards what the files say. Nothing is sent unless all files are right."""
    from dashapp.client import connect
    from dashapp.dashboards.files import files_in

    if not source.exists():
        raise StartupError(f"there is no {source}.")
    files = _read(files_in(source) if source.is_dir() else [source])
    if prune and not source.is_dir():
        raise StartupError(f"--prune takes a folder; {source} is a file, and no dashboard but its own would stay.")
    if prune and not files:
        raise StartupError(f"{source} holds no .yaml files; with --prune none of your dashboards would stay.")
    if not files:
        typer.echo(f"{source} holds no .yaml files.")
    with connect(url, token, data_dir=data_dir) as client:
        server = _Stored(client)
        kept = set()
        for file in files:
            stored = server.about(file.document)
            if stored:
                kept.add(stored.id)
            before, after = client.definition(stored.id) if stored else "", file.text(stored)
            if before == after:
                typer.echo(f"{file.path}: unchanged")
            elif dry_run:
                name = f"{stored.name} (version {stored.version})" if stored else "nothing"
                diff = difflib.unified_diff(before.splitlines(), after.splitlines(), f"stored: {name}", str(file.path), lineterm="")
                typer.echo("\n".join(diff))
            else:
                client.put_dashboard(after, file=file.path.name, version=stored.version if stored else None)
                typer.echo(f"{file.path}: {'changed' if stored else 'made'}")
        if prune:
            # Those that were there before: what somebody makes meanwhile stays.
            _prune(client, [dashboard for dashboard in server.own if dashboard.id not in kept], dry_run=dry_run, yes=yes)


def _prune(client: Client, dashboards: list[DashboardSummary], *, dry_run: bool, yes: bool) -> None:
    for dashboard in dashboards:
        typer.echo(f"{dashboard.name} ({dashboard.id}): in no file{', would be deleted' if dry_run else ''}")
    if dry_run or not dashboards:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise StartupError("--prune asks before it deletes; where nobody can answer, say --yes.")
        typer.confirm(f"Delete {'these' if len(dashboards) > 1 else 'it'}?", abort=True)
    for dashboard in dashboards:
        client.delete_dashboard(dashboard.id)
        typer.echo(f"{dashboard.name}: deleted")


@app.command("import-grafana")
def import_grafana(
    file: Annotated[Path, typer.Argument(help="A dashboard's JSON, as Grafana exports it.")],
    url: ServerUrl = None,
    token: ServerToken = None,
    data_dir: ServerDataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be made.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write this YAML file instead of sending.", show_default=False)
    ] = None,
) -> None:
    """Make a dashboard from Grafana's, and print panel by panel what of it isn't mapped."""
    import orjson

    from dashapp.client import connect
    from dashapp.contract.documents import dump
    from dashapp.dashboards.grafana import convert

    try:
        source = orjson.loads(file.read_bytes())
    except OSError as error:
        raise StartupError(f"{file} can't be read ({error.strerror}).") from None
    except orjson.JSONDecodeError as error:
        raise ValidationFailed(f"{file}: no valid JSON ({error}).") from None
    try:
        imported = convert(source)
    except ValidationFailed as error:
        raise ValidationFailed(f"{file}: {error}") from None
    typer.echo(imported.report(), err=True)
    text = dump(imported.document)
    if dry_run:
        typer.echo(text, nl=False)
    elif output is not None:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"{output}: written", err=True)
    else:
        with connect(url, token, data_dir=data_dir) as client:
            stored = client.put_dashboard(text, file=file.name)
            typer.echo(f"{client.url}/d/{stored.id}")


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of these files, for editors."""
    from dashapp.contract import documents

    typer.echo(documents.schema(), nl=False)
