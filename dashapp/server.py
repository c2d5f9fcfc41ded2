"""The server: services made once, jobs started, API and pages on one FastAPI application, one process and port."""

from __future__ import annotations

import gc
import logging
import math
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg.errors import UndefinedTable
from starlette.responses import JSONResponse, Response

from dashapp import __version__, logs
from dashapp.accounts.accounts import Accounts
from dashapp.accounts.limits import Limits
from dashapp.accounts.provider import provider_of
from dashapp.accounts.users import Users
from dashapp.alerts.active import ActiveAlerts
from dashapp.alerts.evaluator import Evaluator
from dashapp.alerts.events import History
from dashapp.alerts.rules import Rules
from dashapp.alerts.sender import Sender
from dashapp.alerts.silences import Silences
from dashapp.alerts.ticks import Ticks
from dashapp.api import figures
from dashapp.api.app import create_api
from dashapp.dashboards.published import Published
from dashapp.dashboards.store import Dashboards
from dashapp.database.notices import Notices
from dashapp.database.pool import Database
from dashapp.errors import DashappError, StartupError, Unavailable
from dashapp.live.hub import LiveHub
from dashapp.metrics.cache import CachedReader
from dashapp.metrics.catalog import Catalog
from dashapp.metrics.changes import Generations
from dashapp.metrics.ingest import Ingest
from dashapp.metrics.query import Reader
from dashapp.metrics.rollups.jobs import StorageJobs
from dashapp.metrics.stores import open_store
from dashapp.pages.app import mount_pages
from dashapp.pages.headers import SecurityHeaders
from dashapp.pages.requests import Requests
from dashapp.pages.sockets import open_sessions
from dashapp.reports.runner import ReportRunner
from dashapp.reports.store import Reports
from dashapp.services import Services
from dashapp.settings import Settings

log = logging.getLogger(__name__)

#: Seconds between passes of the storage job: late data must show within 30.
STORAGE_SECONDS = 10
#: Seconds between looks for reports that are due.
REPORT_SECONDS = 10

Hook = Callable[[Services], Awaitable[None]]


def make_services(settings: Settings, database: Database) -> Services:
    """What a dashapp has, on one database. Nothing runs yet."""
    reader, notices = Reader(database, settings), Notices(database.url)
    store = open_store(settings.cache_url.get_secret_value(), database)
    accounts = Accounts(database, idle=settings.session_idle, lifetime=settings.session_lifetime)
    accounts.listen(notices)
    ingest, ticks, sender = Ingest(database, settings), Ticks(database, settings), Sender(database, reader, settings)
    evaluator = Evaluator(database, reader, ticks, told=sender.wake)
    dashboards, hub, reports = Dashboards(database), LiveHub(database, reader), Reports(database, settings)
    return Services(
        settings=settings, database=database, notices=notices,
        accounts=accounts, users=Users(database, accounts), limits=Limits(settings.rate_limit), dashboards=dashboards,
        published=Published(database), reports=reports,
        report_runner=ReportRunner(reports, dashboards, accounts, hub, reader, settings),
        ingest=ingest, catalog=Catalog(database), reader=reader,
        cached=CachedReader(reader, Generations(database, notices), store), hub=hub,
        rules=Rules(database, reader, ticks), silences=Silences(database), history=History(database),
        evaluator=evaluator, sender=sender, active_alerts=ActiveAlerts(database, ingest, evaluator), oidc=provider_of(settings),
    )  # fmt: skip


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[Services]:
    """The services with their connections open and their jobs at work."""
    jobs = StorageJobs(services.database, services.settings)

    async def storage_pass() -> None:
        try:
            await jobs.tick()
        except Unavailable:
            log.warning("the storage job waits for the database")

    async def alert_pass() -> None:
        try:
            leads = await services.evaluator.tick()
            tick = await services.evaluator.ticks.newest()
            await services.active_alerts.look(tick)
            if leads:
                await services.history.prune(tick)
        except Unavailable:
            log.warning("alert rules wait for the database")
        except Exception:
            log.exception("judging alert rules failed; the ticks are made up for")

    async def report_pass() -> None:
        try:
            await services.report_runner.tick()
        except Unavailable:
            log.warning("scheduled reports wait for the database")

    scheduler = AsyncIOScheduler(timezone="UTC")
    # A pass that takes longer than its interval is followed by one, not by a pile.
    scheduler.add_job(storage_pass, "interval", seconds=STORAGE_SECONDS, max_instances=1, coalesce=True, misfire_grace_time=None)
    scheduler.add_job(report_pass, "interval", seconds=REPORT_SECONDS, max_instances=1, coalesce=True, misfire_grace_time=None)
    interval = services.settings.alert_interval
    # Just after each tick: multiples of the interval, as near as this clock is to the database's.
    tick = datetime.fromtimestamp(math.ceil(time.time() / interval.total_seconds()) * interval.total_seconds() + 0.2, UTC)
    scheduler.add_job(
        alert_pass, "interval", seconds=interval.total_seconds(), start_date=tick, max_instances=1, coalesce=True,
        misfire_grace_time=None,
    )  # fmt: skip
    await services.database.open()
    services.notices.start()
    try:
        await services.ingest.start()
        services.hub.start()
        services.sender.start()
        await storage_pass()
        scheduler.start()
        yield services
    finally:
        if scheduler.running:
            scheduler.shutdown(wait=False)
        await services.hub.stop()
        await services.sender.stop()
        await services.ingest.stop()
        with suppress(DashappError):
            await jobs.lease.release()
            await services.evaluator.lease.release()
        await services.cached.close()
        await services.notices.stop()
        await services.database.close()


def create_app(services: Services) -> FastAPI:
    """The whole application. Its services have to run while it answers: `serve` sees to that."""
    app = FastAPI(title="dashapp", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/api/v1", create_api(services))

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """The process lives."""
        return JSONResponse({"data": {"status": "ok", "version": __version__}})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """The database answers and is migrated."""
        try:
            try:
                async with services.database.connection() as connection:
                    await connection.execute("SELECT 1 FROM storage")
            except UndefinedTable:
                raise Unavailable("The database has no schema yet; run `dashapp migrate`.") from None
        except DashappError as error:
            return JSONResponse(
                {"error": str(error), "code": error.code}, error.status, headers={"Retry-After": str(error.retry_after or 2)}
            )
        return JSONResponse({"data": {"status": "ready"}})

    pages, boards = mount_pages(app, services)
    app.add_middleware(Requests)
    app.add_middleware(SecurityHeaders, base_url=services.settings.base_url)
    registry = figures.registry(services, lambda: open_sessions(pages), lambda: len(boards))

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """dashapp's own figures."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._on_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What the imported libraries made lives as long as the process. The collector needn't walk through it again and
        # again: each walk holds the loop for tens of milliseconds.
        gc.collect()
        gc.freeze()
        if self.started:
            await self._on_started()


async def serve(
    settings: Settings,
    database_url: str,
    listener: socket.socket,
    *,
    ready: Hook | None = None,
    started: Callable[[], Awaitable[None]],
) -> None:
    """Serve until SIGINT or SIGTERM.

    `ready` runs once the services do, before the first request; `started` once requests are answered.

    Raises:
        StartupError: it can't be served as configured.
    """
    logs.setup(settings.log_format, settings.log_level)
    # Port 0 took a free one: links in notifications name it.
    services = make_services(settings.model_copy(update={"port": listener.getsockname()[1]}), Database(database_url))
    config = uvicorn.Config(
        create_app(services), log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=3, timeout_keep_alive=30,
        # What a page sends is small and what it gets is mostly binary: compressing it costs every viewer CPU each tick.
        ws="websockets-sansio", ws_per_message_deflate=False, ws_ping_interval=20, ws_ping_timeout=20, server_header=False,
    )  # fmt: skip
    async with running(services):
        if ready is not None:
            await ready(services)
        server = _Server(config, started)
        await server.serve(sockets=[listener])
    if not server.started:
        raise StartupError("the server could not start; the lines above say why.")
