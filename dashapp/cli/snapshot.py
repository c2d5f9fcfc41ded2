"""``dashapp snapshot``: a dashboard as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dashapp.cli.where import ServerDataDir, ServerToken, ServerUrl
from dashapp.errors import StartupError


def snapshot(
    dashboard: Annotated[str, typer.Argument(help="The dashboard's name or id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; one that is there is replaced.")],
    start: Annotated[str, typer.Option("--from", help="Where the range starts: now-6h, or ISO 8601.")] = "now-24h",
    end: Annotated[str, typer.Option("--to", help="Where it ends.")] = "now",
    var: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A value of a variable, such as host=a; may be given several times."),
    ] = None,
    url: ServerUrl = None,
    token: ServerToken = None,
    data_dir: ServerDataDir = None,
) -> None:
    """Write a dashboard over a range as one HTML file that opens from disk and asks nobody for anything."""
    from dashapp.client import connect
    from dashapp.snapshots.files import replace

    variables = _chosen(var or [])
    with connect(url, token, data_dir=data_dir) as client:
        content = client.snapshot(dashboard, start=start, end=end, variables=variables)
    try:
        replace(output, content)
    except OSError as error:
        raise StartupError(f"{output} can't be written ({error.strerror}).") from None
    typer.echo(f"{output}: {len(content) / 1e6:.1f} MB")


def _chosen(given: list[str]) -> dict[str, list[str]]:
    """The values by variable.

    Raises:
        StartupError: one isn't NAME=VALUE.
    """
    chosen: dict[str, list[str]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise StartupError(f"--var {one}: write a variable and its value, such as host=a.")
        chosen.setdefault(name, []).append(value)
    return chosen
