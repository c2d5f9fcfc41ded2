"""Which database a command works on, and options that several commands share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dashapp.errors import StartupError

if TYPE_CHECKING:
    from dashapp.database.pool import Database
    from dashapp.settings import Settings

T = TypeVar("T")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the embedded database lies.", show_default=False)]
ServerUrl = Annotated[
    str | None,
    typer.Option("--url", envvar="DASHAPP_URL", help="The server; the one running here unless set.", show_default=False),
]
ServerToken = Annotated[
    str | None, typer.Option("--token", envvar="DASHAPP_TOKEN", help="An API token for it.", show_default=False)
]
ServerDataDir = Annotated[Path | None, typer.Option("--data-dir", help="Of the dashapp running here.", show_default=False)]
Host = Annotated[str | None, typer.Option("--host", help="Address to serve on; 127.0.0.1 unless set.", show_default=False)]
Port = Annotated[int | None, typer.Option("--port", help="Port to serve on; 5006 unless set.", show_default=False)]


def running_database(settings: Settings) -> str:
    """The URL of the configured server, or of the embedded one that ``dashapp up`` runs.

    Raises:
        StartupError: the embedded server doesn't run.
    """
    from dashapp.database.embedded import EmbeddedPostgres

    if not settings.embedded:
        return settings.database_url
    server = EmbeddedPostgres(settings.data_dir)
    if server.pid is None:
        raise StartupError(
            f"the embedded database in {settings.data_dir} doesn't run; start `dashapp up` first, or set DASHAPP_DATABASE_URL."
        )
    return server.url


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the running, migrated database.

    Raises:
        StartupError: there is none.
    """
    from dashapp.database.migrate import check
    from dashapp.database.pool import Database

    url = running_database(settings)
    if problem := check(url):
        raise StartupError(problem)

    async def run() -> T:
        database = Database(url, size=2)
        await database.open()
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
