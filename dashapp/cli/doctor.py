"""``dashapp doctor``: what is configured, what is reachable, which storage tier is in use, and how its jobs do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dashapp import __version__
from dashapp.cli.where import DataDir, running_database, with_database
from dashapp.errors import StartupError

if TYPE_CHECKING:
    from dashapp.database.pool import Database
    from dashapp.metrics.rollups.jobs import StorageStatus
    from dashapp.settings import Settings


def doctor(data_dir: DataDir = None) -> None:
    """Print settings with secrets masked, whether the database answers, its tier and the state of its jobs."""
    from dashapp.contract.durations import humanize_ms
    from dashapp.contract.timerange import from_ms
    from dashapp.database import migrate
    from dashapp.metrics.clock import system_clock
    from dashapp.settings import Settings, load

    settings = load(data_dir=data_dir)
    typer.echo(f"dashapp {__version__}\n\nSettings")
    for name in Settings.model_fields:
        typer.echo(f"  DASHAPP_{name.upper():<16} {_shown(name, getattr(settings, name))}")
    typer.echo("\nDatabase")
    try:
        url = running_database(settings)
        revision = migrate.current(url)
    except StartupError as error:
        typer.echo(f"  problem           {error}")
        raise typer.Exit(1) from None
    typer.echo(f"  server            {'embedded PostgreSQL' if settings.embedded else migrate.masked(url)}")
    behind = "" if revision == migrate.head() else f" (newest is {migrate.head()}: run dashapp migrate)"
    typer.echo(f"  schema            {revision or 'empty'}{behind}")
    if revision != migrate.head():
        raise typer.Exit(1)
    tier, version, status = with_database(settings, lambda database: _storage(database, settings))
    typer.echo(f"  version           {version}\n  storage tier      {tier}")
    now = system_clock()
    for level, watermark in status.watermarks.items():
        typer.echo(f"  rollup {level:<10} up to {from_ms(watermark):%Y-%m-%d %H:%M} UTC")
    typer.echo(f"  late data waiting {status.dirty} rows")
    if status.finished_at is None:
        typer.echo("  storage job       has not run yet")
    else:
        typer.echo(f"  storage job       ran {humanize_ms(now - status.finished_at)} ago, took {status.seconds or 0:.2f} s")
    if status.error:
        typer.echo(f"  problem           {status.error}")
        raise typer.Exit(1)


def _shown(name: str, value: object) -> str:
    from pydantic import SecretStr

    from dashapp.contract.durations import format_ms
    from dashapp.database import migrate

    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else "(empty)"
    if name == "database_url":
        return migrate.masked(str(value)) if value else "(empty: embedded)"
    if name.startswith("retention"):
        return format_ms(round(value.total_seconds() * 1000)) if isinstance(value, timedelta) else "forever"
    return str(value) if isinstance(value, Path) or value not in ("", None) else "(empty)"


async def _storage(database: Database, settings: Settings) -> tuple[str, str, StorageStatus]:
    from dashapp.metrics.rollups.jobs import StorageJobs

    async with database.connection() as connection:
        cursor = await connection.execute("SELECT tier, current_setting('server_version') AS version FROM storage")
        row = await cursor.fetchone() or {}
    return str(row.get("tier")), str(row.get("version")), await StorageJobs(database, settings).status()
