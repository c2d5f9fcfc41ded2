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
    from dashapp.snapshots.files import replace

    with connect(url, token, data_dir=data_dir) as client:
        content = client.snapshot(dashboard, start=start, end=end)
    try:
        replace(output, content)
    except OSError as error:
        raise StartupError(f"{output} can't be written ({error.strerror}).") from None
    typer.echo(f"{output}: {len(content) / 1e6:.1f} MB")
