"""Everything that ``dashapp up`` runs on one machine, in order, and its end in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import typer

from dashapp import __version__
from dashapp.agent.catalog import CATALOG
from dashapp.alerts.ready import load_ready
from dashapp.cli.ending import run, terminable
from dashapp.cli.listener import bind
from dashapp.client import local as local_tools
from dashapp.dashboards.files import load_examples
from dashapp.database import migrate
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.errors import StartupError
from dashapp.services import Services
from dashapp.settings import Settings, local_url

log = logging.getLogger(__name__)

#: The agent samples every second for so long after its start, so that the first picture has lines.
_WARM_UP_SECONDS = 60
_AGENT_STOP_SECONDS = 5
_LOOK_AFTER_SECONDS = 1
_HOME = "This host"


@dataclass(frozen=True)
class _Database:
    url: str
    #: How to name it to people.
    name: str
    server: EmbeddedPostgres | None = None

    async def keep(self) -> None:
        """Start an embedded server again that ended by itself, as one does that the system killed for its memory."""
        while self.server is not None:
            await asyncio.sleep(_LOOK_AFTER_SECONDS)
            if self.server.pid is None:
                log.warning("PostgreSQL has ended by itself; starting it again")
                try:
                    await asyncio.to_thread(self.server.revive)
                except StartupError as error:
                    log.error("%s", error)


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[_Database]:
    """The database; an embedded one runs as long as the block."""
    if not settings.embedded:
        yield _Database(settings.database_url, migrate.masked(settings.database_url))
        return
    settings.key()
    server = EmbeddedPostgres(settings.data_dir)
    server.start()
    try:
        yield _Database(server.url, f"embedded PostgreSQL in {settings.data_dir}", server)
    finally:
        server.stop()


class Machine:
    """One machine's dashapp. `run` it until it is stopped."""

    def __init__(self, settings: Settings, *, agent: bool = True, open_browser: bool = False) -> None:
        self.settings = settings
        self._with_agent, self._open_browser = agent, open_browser
        self._agent: subprocess.Popen[bytes] | None = None
        self._local_token = ""
        self._home, self._link_token, self._agent_token, self._tier, self._storage = "/", "", "", "", ""

    def run(self) -> None:
        """
        Raises:
            StartupError: the port, the data directory, the database or a setting can't be used.
        """
        listener = bind(self.settings.host, self.settings.port)
        with terminable(), _database(self.settings) as database:
            migrate.migrate(database.url)
            self._storage = database.name
            try:
                run(self._serve(database, listener))
            finally:
                local_tools.forget(self.settings.data_dir)
                self._stop_agent()
                typer.echo("dashapp has stopped; its data stays where it is.")

    async def _serve(self, database: _Database, listener: socket.socket) -> None:
        # Its libraries take a second or two: whatever refuses to start says so before.
        from dashapp.server import serve

        keeping = asyncio.create_task(database.keep())
        try:
            port = listener.getsockname()[1]
            await serve(self.settings, database.url, listener, ready=self._prepare, started=lambda: self._started(port))
        finally:
            keeping.cancel()

    async def _prepare(self, services: Services) -> None:
        """Before the first request: the admin, the examples, what the agent's metrics mean, and the secrets of this start."""
        password = self.settings.admin_password.get_secret_value() or None
        admin = await services.accounts.ensure_admin(self.settings.admin_email, password)
        await services.catalog.describe(CATALOG)
        created = await load_examples(services.dashboards, admin.id, examples_dir())
        await load_ready(services.rules, admin.id, examples_dir() / "alerts")
        dashboards, _ = await services.dashboards.list_for(admin.id, is_admin=True, page=1, page_size=200)
        self._home = next((f"/d/{dashboard.id}" for dashboard in dashboards if dashboard.name == _HOME), "/")
        if created and self._with_agent:
            # Nothing is older than this start: a short range shows the first samples as they come.
            self._home += quote("?from=now-15m&refresh=1s")
        self._link_token = await services.accounts.signin_link(admin.id)
        self._local_token = await services.accounts.local_token(admin)
        if self._with_agent:
            self._agent_token = await services.accounts.agent_token(admin)
        async with services.database.connection() as connection:
            row = await (await connection.execute("SELECT tier FROM storage")).fetchone()
            self._tier = str(row["tier"]) if row else ""

    async def _started(self, port: int) -> None:
        local = local_url(self.settings.host, port)
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        local_tools.write(self.settings.data_dir, local, self._local_token)
        base = self.settings.base_url.rstrip("/") or local
        link = f"{base}/signin?token={self._link_token}&next={self._home}"
        typer.echo(
            f"\ndashapp {__version__}\n"
            f"  storage   tier {self._tier}, {self._storage}\n"
            f"  sign in   {link}\n"
            f"            (works once, for a day; later starts print a new one)\n"
            f"  stop      Ctrl-C\n"
        )
        sys.stdout.flush()
        if self._with_agent:
            self._start_agent(local)
        if self._open_browser:
            await asyncio.to_thread(webbrowser.open, link)

    def _start_agent(self, url: str) -> None:
        # A process of its own: sampling must not hold the server's loop. It gets its token where `ps` can't see it.
        self._agent = subprocess.Popen(
            [
                sys.executable, "-m", "dashapp", "agent", "--url", url, "--spool", str(self.settings.data_dir / "agent"),
                "--warm-up", f"{_WARM_UP_SECONDS}s", "--parent", str(os.getpid()),
            ],
            env=os.environ | {"DASHAPP_AGENT_TOKEN": self._agent_token}, stdin=subprocess.DEVNULL,
            # Ctrl-C is for the server, which then stops the agent in order.
            start_new_session=True,
        )  # fmt: skip

    def _stop_agent(self) -> None:
        if self._agent is None:
            return
        self._agent.terminate()
        try:
            self._agent.wait(_AGENT_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            self._agent.wait()


def examples_dir() -> Path:
    """The example dashboards: inside an installed package, or ``data/`` beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "data"
    found = installed if installed.is_dir() else package.parent / "data"
    if not found.is_dir():
        raise StartupError(f"the example dashboards are missing from {installed}; install dashapp again.")
    return found
