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
    url: ServerUrl = None,
    token: ServerToken = None,
    data_dir: ServerDataDir = None,
) -> None:
    """Write a dashboard over a range as one HTML file that opens from disk and asks nobody for anything."""
    from dashapp.client import connect

    with connect(url, token, data_dir=data_dir) as client:
        content = client.snapshot(dashboard, start=start, end=end)
    _replace(output, content)
    typer.echo(f"{output}: {len(content) / 1e6:.1f} MB")


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all: a report that is looked at while it is written anew is never half a file.

    Raises:
        StartupError: the file can't be written.
    """
    try:
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        raise StartupError(f"{path} can't be written ({error.strerror}).") from None
