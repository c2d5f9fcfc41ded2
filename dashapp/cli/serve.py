"""``dashapp serve`` and ``dashapp migrate``: the server alone, against a PostgreSQL that others run."""

from __future__ import annotations

import typer

from dashapp.cli.ending import run, terminable
from dashapp.cli.where import DataDir, Host, Port, running_database
from dashapp.errors import StartupError


def serve(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Only the server, against DASHAPP_DATABASE_URL. The schema must be the newest: `dashapp migrate` makes it so."""
    from dashapp.cli.listener import bind
    from dashapp.database import migrate as schema
    from dashapp.settings import load

    settings = load(data_dir=data_dir, host=host, port=port)
    if settings.embedded:
        raise StartupError("`dashapp serve` needs DASHAPP_DATABASE_URL; `dashapp up` brings its own database.")
    listener = bind(settings.host, settings.port)
    if problem := schema.check(settings.database_url):
        raise StartupError(problem)
    settings.key()
    # The server's libraries take a second or two, which a refusal needn't wait for.
    from dashapp.server import serve as run_server

    async def started() -> None:
        address, bound = listener.getsockname()[:2]
        typer.echo(f"dashapp serves http://{address}:{bound} from {schema.masked(settings.database_url)}")

    with terminable():
        run(run_server(settings, settings.database_url, listener, started=started))


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's schema to the newest."""
    from dashapp.database import migrate as schema
    from dashapp.settings import load

    settings = load(data_dir=data_dir)
    url = running_database(settings)
    before = schema.current(url)
    after = schema.migrate(url)
    typer.echo(f"The schema is {after}." if before == after else f"The schema was {before or 'empty'} and is now {after}.")
