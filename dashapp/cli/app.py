"""``dashapp``: the commands, and how they end when something is not as it should be."""

from __future__ import annotations

import sys

import typer

from dashapp import __version__, logs
from dashapp.cli import accounts, agent, backup, dashboards, doctor, ingest, serve, snapshot, up
from dashapp.errors import DashappError, StartupError

app = typer.Typer(
    name="dashapp", help="Self-hosted metrics monitoring and dashboards.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        typer.echo(f"dashapp {__version__}")
        raise typer.Exit


app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.command("agent")(agent.agent)
app.command("ingest")(ingest.ingest)
app.command("snapshot")(snapshot.snapshot)
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.tokens, name="token")


def main() -> None:
    """Run a command. What is wrong with its surroundings is one sentence and exit code 2, never a traceback."""
    logs.setup()
    try:
        app()
    except StartupError as error:
        typer.echo(f"dashapp: {error}", err=True)
        sys.exit(2)
    except DashappError as error:
        typer.echo(f"dashapp: {error}", err=True)
        sys.exit(1)
