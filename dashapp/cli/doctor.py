"""``dashapp doctor``: what is configured, what is reachable, which storage tier is in use, and how its jobs do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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
    from dashapp.database.pooler import shares_sessions
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
    if shares_sessions(url):
        typer.echo(
            "  pooler            a transaction pooler: dashapp works, but notices between processes don't arrive;\n"
            "                    give DASHAPP_DATABASE_URL PostgreSQL's own port"
        )
    if misfit := migrate.check(url):
        typer.echo(f"  problem           {misfit}")
        raise typer.Exit(1)
    storage = with_database(settings, lambda database: _storage(database, settings))
    status = storage.status
    typer.echo(f"  version           {storage.version}\n  storage tier      {storage.tier}")
    if storage.extension:
        typer.echo(f"  TimescaleDB       {storage.extension}, licence {storage.licence}")
    now = system_clock()
    for level, watermark in status.watermarks.items():
        typer.echo(f"  rollup {level:<10} up to {from_ms(watermark):%Y-%m-%d %H:%M} UTC")
    typer.echo(f"  late data waiting {status.dirty} rows")
    if status.finished_at is None:
        typer.echo("  storage job       has not run yet")
    else:
        typer.echo(f"  storage job       ran {humanize_ms(now - status.finished_at)} ago, took {status.seconds or 0:.2f} s")
    for policy in status.policies:
        name = f"{policy.kind} {policy.relation}"
        ran = "not yet" if policy.finished_at is None else f"{humanize_ms(now - policy.finished_at)} ago"
        state = f"ran {ran}; {policy.runs} runs, {policy.failures} failed" if policy.scheduled else "off: kept forever"
        typer.echo(f"  policy            {name:<24} {state}")
    problems = [
        status.error,
        *(f"policy {policy.kind} {policy.relation}: {policy.error}" for policy in status.policies if policy.error),
    ]
    for problem in filter(None, problems):
        typer.echo(f"  problem           {problem}")
    if any(problems):
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


@dataclass(frozen=True)
class _Storage:
    version: str
    tier: str
    #: TimescaleDB's version and licence, None without it.
    extension: str | None
    licence: str | None
    status: StorageStatus


async def _storage(database: Database, settings: Settings) -> _Storage:
    from dashapp.metrics.rollups.jobs import StorageJobs

    async with database.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT tier, current_setting('server_version') AS version, current_setting('timescaledb.license', true) AS licence,
                (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS extension
            FROM storage
            """
        )
        row = cast(dict[str, Any], await cursor.fetchone())
    status = await StorageJobs(database, settings).status()
    return _Storage(row["version"], row["tier"], row["extension"], row["licence"], status)
