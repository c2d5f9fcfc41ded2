"""The real app on a real database, called through ASGI under the path that the server mounts it at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from dashapp.accounts.accounts import Accounts
from dashapp.api.app import create_api
from dashapp.contract.accounts import Role, Scope, TokenRequest, User
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.pool import Database
from dashapp.server import make_services
from dashapp.services import Services
from dashapp.settings import Settings
from tests.conftest import make_database
from tests.running import Dashapp

ORIGIN = "http://dash.test"
BASE = f"{ORIGIN}/api/v1"


@asynccontextmanager
async def running(database: Database, data_dir: Path) -> AsyncIterator[Services]:
    settings = Settings(data_dir=data_dir, rate_limit=0, _env_file=None)  # type: ignore[call-arg]
    services = make_services(settings, database)
    await services.ingest.start()
    yield services
    await services.cached.close()
    await services.ingest.stop()


def mounted(services: Services) -> FastAPI:
    """The server's app, as far as the API is concerned."""
    server = FastAPI(openapi_url=None)
    server.mount("/api/v1", create_api(services))
    return server


@pytest.fixture
async def services(database: Database, tmp_path: Path) -> AsyncIterator[Services]:
    async with running(database, tmp_path) as services:
        yield services


@pytest.fixture
def app(services: Services) -> FastAPI:
    return mounted(services)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


class World:
    """People and programs of a test, by name."""

    def __init__(self, app: FastAPI, services: Services, stack: AsyncExitStack) -> None:
        self.app, self.services, self._stack = app, services, stack
        self.users: dict[str, User] = {}

    async def _client(self, **kwargs: object) -> httpx.AsyncClient:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE, **kwargs)  # type: ignore[arg-type]
        return await self._stack.enter_async_context(client)

    async def user(self, name: str, role: Role) -> User:
        if name not in self.users:
            self.users[name] = await self.services.accounts.create_user(f"{name}@example.org", None, role)
        return self.users[name]

    async def person(self, name: str, role: Role) -> httpx.AsyncClient:
        """A browser that is signed in; `role` counts when the name is new."""
        user = await self.user(name, role)
        secret = await self.services.accounts.open_session(user.id)
        return await self._client(cookies={"dashapp_session": secret})

    async def program(self, name: str, role: Role, scope: Scope) -> httpx.AsyncClient:
        """A program with a token."""
        token = await self.services.accounts.create_token(await self.user(name, role), TokenRequest(name="test", scope=scope))
        return await self._client(headers={"Authorization": f"Bearer {token.token}"})


@pytest.fixture
async def world(app: FastAPI, services: Services) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(app, services, stack)


@pytest.fixture(scope="session")
async def refused(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A signed-in editor whose requests are all refused and so leave nothing: one database serves all those tests."""
    database = Database(make_database(postgres))
    await database.open()
    async with running(database, tmp_path_factory.mktemp("refused")) as services, AsyncExitStack() as stack:
        yield await World(mounted(services), services, stack).person("editor", "editor")
    await database.close()


@dataclass(frozen=True)
class Served:
    """A server in a process of its own, and an admin's token."""

    server: Dashapp
    token: str


@pytest.fixture(scope="module")
def served(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    url = make_database(postgres)

    async def token() -> str:
        database = Database(url, size=1)
        await database.open()
        accounts = Accounts(database)
        admin = await accounts.ensure_admin("admin@example.org", None)
        made = await accounts.create_token(admin, TokenRequest(name="tests", scope="write"))
        await database.close()
        return made.token

    mail = {"DASHAPP_SMTP_URL": "smtp://127.0.0.1:9", "DASHAPP_MAIL_FROM": "dashapp@example.org"}  # nobody listens there
    environment = {"DASHAPP_DATABASE_URL": url, "DASHAPP_RATE_LIMIT": "0", **mail}
    directory = str(tmp_path_factory.mktemp("served"))
    server = Dashapp("serve", "--port", "0", "--data-dir", directory, env=environment).ready()
    yield Served(server, asyncio.run(token()))
    server.stop()


@pytest.fixture
async def editor(world: World) -> httpx.AsyncClient:
    return await world.person("editor", "editor")


@pytest.fixture
async def viewer(world: World) -> httpx.AsyncClient:
    return await world.person("viewer", "viewer")


@pytest.fixture
async def admin(world: World) -> httpx.AsyncClient:
    return await world.person("admin", "admin")


def failed(response: httpx.Response, status: int, code: str) -> dict[str, str]:
    """Check that a failure is of the contract's shape and answer its details."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["code"] == code
    assert isinstance(body["error"], str)
    assert body["error"]
    assert set(body) <= {"error", "code", "details"}
    assert response.headers["X-Request-Id"]
    details: dict[str, str] = body.get("details", {})
    return details
