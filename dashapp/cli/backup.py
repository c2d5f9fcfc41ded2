"""``dashapp backup`` and ``dashapp restore``: everything in one file, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashapp.cli.ending import terminable
from dashapp.cli.where import DataDir
from dashapp.errors import StartupError

if TYPE_CHECKING:
    from dashapp.settings import Settings

_MIB = 1 << 20


def backup(file: Annotated[Path, typer.Argument(help="The new file.")], data_dir: DataDir = None) -> None:
    """Write everything that the database holds to one file; dashapp may run meanwhile."""
    from dashapp.database import backup as backups
    from dashapp.settings import load

    settings = load(data_dir=data_dir)
    with terminable(), _source(settings) as url:
        size = backups.backup(url, file)
    typer.echo(
        f"{file} holds the backup, {size / _MIB:.1f} MiB. The secret key isn't in it; without it pages load themselves once."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `dashapp backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Lose what the database holds now.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Bring a backup into an empty database, or into a new data directory; dashapp mustn't run meanwhile."""
    from dashapp.database import backup as backups
    from dashapp.settings import load

    settings = load(data_dir=data_dir)
    backups.read(file)  # before a data directory is made for nothing
    with terminable(), _target(settings) as url:
        backups.restore(url, file, replace=replace)
    typer.echo(f"The database is as {file} has it. Everybody signs in anew.")


@contextlib.contextmanager
def _source(settings: Settings) -> Iterator[str]:
    """The database as it runs; an embedded one that doesn't runs for the block."""
    from dashapp.database.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(settings.data_dir)
    if not settings.embedded:
        yield settings.database_url
    elif server.pid is not None:
        yield server.url
    elif not server.cluster.exists():
        raise StartupError(f"there is no database in {settings.data_dir}; choose another with --data-dir.")
    else:
        with _target(settings) as url:
            yield url


@contextlib.contextmanager
def _target(settings: Settings) -> Iterator[str]:
    """The database, and where it is embedded no other dashapp on it."""
    from dashapp.database.embedded import EmbeddedPostgres

    if not settings.embedded:
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.data_dir)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
