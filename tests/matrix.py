"""A whole dashapp with somebody of each kind, and something to try each of its routes on.

The routes come from the app itself, the bodies from the OpenAPI document's examples.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import orjson
from fastapi import FastAPI
from starlette.websockets import WebSocket

from dashapp.api.examples import BODIES
from dashapp.contract.accounts import Role, Scope, TokenRequest, User
from dashapp.contract.alerts import RuleDefinition, SilenceRequest
from dashapp.contract.dashboards import DashboardRequest
from dashapp.contract.metrics import Point
from dashapp.contract.reports import ReportRequest
from dashapp.database.pool import Database
from dashapp.pages.admission import Admission
from dashapp.server import create_app, make_services
from dashapp.services import Services
from dashapp.settings import Settings
from tests.provider import CLIENT_ID, CLIENT_SECRET, running_provider

ORIGIN = "http://dash.test"
ACTORS = ("anonymous", "viewer", "editor", "owner", "admin", "ingest", "read", "write")
#: Routes that are one for what is public and another for what is private.
_TWICE = ("{dashboard_id}", "{panel_id}")
_API = "/api/v1"
#: Where one signs in or out: whoever comes may try. Nobody comes back from a provider that they weren't sent to (401).
SIGNING = ("/login", "/signin", "/logout", "/oidc/login", "/oidc/callback")
#: Bodies without an example in the document: a form, what scripts of pages ask, a remote write of nothing (packed), a line.
RAW = {
    "/alerts/preview": orjson.dumps(BODIES["backtestRule"]),
    "/explore/picture": orjson.dumps({"panel": BODIES["addPanel"]}),
    "/login": urlencode(BODIES["login"]).encode(),
    f"{_API}/write": b"\x00",
    f"{_API}/influx/write": b"room,room=hall temperature=19",
    f"{_API}/dashboards/import": b"name: Imported\n",
}


def routes(found: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of everything that the app answers to."""
    for route in found:
        if original := getattr(route, "original_router", None):
            yield from routes(original.routes, prefix)
        elif type(route).__name__ == "Mount":
            inner = getattr(route.app, "routes", None)
            path = re.sub(r"^/assets/\w+$", "/assets", route.path)
            yield from routes(inner, prefix + path) if inner else [("GET", prefix + path)]
        elif getattr(route, "methods", None):
            yield from ((method, prefix + route.path_format) for method in route.methods if method not in ("HEAD", "OPTIONS"))
        else:
            yield "WS", prefix + route.path


def rows(app: FastAPI) -> list[tuple[str, str, str]]:
    """(method, path, kind) of each row that the table has to have; `kind` is what the thing asked for is."""
    every = dict.fromkeys(routes(app.router.routes))
    return [
        (method, path, kind)
        for method, path in every
        for kind in (("private", "public") if any(name in path for name in _TWICE) else ("",))
    ]


class Matrix:
    """A whole dashapp with somebody of each kind, and fresh things to try each call on."""

    def __init__(self, app: FastAPI, services: Services) -> None:
        self.app, self.services = app, services
        self.admission = Admission(services)
        self.headers: dict[str, dict[str, str]] = {"anonymous": {}}
        self.users: dict[str, User] = {}
        self.operations: dict[tuple[str, str], dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    async def prepare(self) -> None:
        await self.services.ingest.write([Point(name="room.temperature", value=21.0)])
        roles: dict[str, Role] = {"viewer": "viewer", "editor": "editor", "owner": "editor", "admin": "admin"}
        for name, role in roles.items():
            self.users[name] = await self.services.accounts.create_user(f"{name}@example.org", None, role)
        await self.services.accounts.create_user(**BODIES["login"], role="viewer")
        schema = (await self._send("GET", f"{_API}/openapi.json", "anonymous")).json()
        self.operations = {
            (method.upper(), _API + path): operation
            for path, operations in schema["paths"].items()
            for method, operation in operations.items()
        }

    async def _credentials(self, actor: str) -> dict[str, str]:
        """Fresh ones each time: some calls end them."""
        if actor == "anonymous":
            return {}
        if actor in ("ingest", "read", "write"):
            scope: Scope = actor  # type: ignore[assignment]
            token = await self.services.accounts.create_token(self.users["owner"], TokenRequest(name=actor, scope=scope))
            self._tokens.append(token.id)
            return {"Authorization": f"Bearer {token.token}"}
        return {"Cookie": f"dashapp_session={await self.services.accounts.open_session(self.users[actor].id)}"}

    async def _send(self, method: str, path: str, actor: str, body: Any = None) -> httpx.Response:
        self._tokens: list[UUID] = []
        headers = {"Origin": ORIGIN} | await self._credentials(actor)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN) as client:
            given = {"content": body} if isinstance(body, bytes) else {"json": body}
            answer = await client.request(method, path, headers=headers, **given)
        for token_id in self._tokens:
            await self._forget(token_id)
        return answer

    async def _forget(self, token_id: UUID) -> None:
        async with self.services.database.connection() as connection:
            await connection.execute("DELETE FROM tokens WHERE id = %s", (token_id,))

    async def _parameters(self, method: str, path: str, kind: str) -> dict[str, str]:
        """Something of the owner's for each parameter of the path."""
        owner, made = self.users["owner"], dict[str, object]()
        if any(name in path for name in _TWICE):
            request = DashboardRequest.model_validate(BODIES["createDashboard"] | {"isPublic": kind == "public"})
            board = await self.services.dashboards.create(owner.id, request)
            made |= {"dashboard_id": board.id, "panel_id": board.panels[0].id}
            if path.endswith("{dashboard_id}/restore"):
                await self.services.dashboards.delete(board.id)
            if path.endswith("/publish") and method != "POST":
                await self.services.published.publish(board.id)
            if path.endswith("{panel_id}/restore"):
                await self.services.dashboards.delete_panel(board.panels[0].id)
        if "{token_id}" in path:
            made["token_id"] = (await self.services.accounts.create_token(owner, TokenRequest(name="t", scope="read"))).id
        if "{session_id}" in path:
            await self.services.accounts.open_session(owner.id)
            made["session_id"] = (await self.services.accounts.sessions(owner))[-1].id
        if "{user_id}" in path:
            email = f"somebody{next(self._numbers)}@example.org"
            made["user_id"] = (await self.services.accounts.create_user(email, None, "viewer")).id
        if "{rule_id}" in path:
            made["rule_id"] = (await self.services.rules.create(owner.id, RuleDefinition.model_validate(BODIES["createRule"]))).id
        if "{silence_id}" in path:
            silence = SilenceRequest.model_validate(BODIES["createSilence"])
            made["silence_id"] = (await self.services.silences.create(owner, silence)).id
        if "{report_id}" in path:
            board = await self.services.dashboards.create(owner.id, DashboardRequest(name="Reported"))
            report = ReportRequest.model_validate(BODIES["createReport"])
            made["report_id"] = (await self.services.reports.create(owner, board.id, report)).id
        if "{token}" in path:
            board = await self.services.dashboards.create(owner.id, DashboardRequest(name="Published"))
            made["token"] = (await self.services.published.publish(board.id))[0].path.removeprefix("/p/")
        texts = {"name": "room.temperature"} | {name: str(value) for name, value in made.items()}
        unknown = set(re.findall(r"{(\w+)}", path)) - set(texts)
        assert not unknown, f"tests/test_permissions.py has to learn what {unknown} in {path} stands for"
        return texts

    async def call(self, method: str, path: str, kind: str, actor: str) -> httpx.Response:
        """The answer that somebody gets, to the body of the documents' example where one is taken."""
        address = path.format(**await self._parameters(method, path, kind))
        if path == "/signin":
            address += f"?token={await self.services.accounts.signin_link(self.users['owner'].id)}"
        operation = self.operations.get((method, path), {})
        body = RAW.get(path) if method == "POST" else None
        if body is None and "requestBody" in operation:
            body = operation["requestBody"]["content"]["application/json"].get("example")
            assert body, f"{method} {path} has no example in dashapp/api/examples.py"
        if path.endswith("/users") and method == "POST":
            body = {**body, "email": f"fresh{next(self._numbers)}@example.org"}
        if path.endswith("/auth/password"):
            body = {"new": body["new"]}  # these accounts have none yet
        answer = await self._send(method, "/assets/none" if path == "/assets" else address, actor, body)
        if path.endswith("/auth/password"):
            async with self.services.database.connection() as connection:
                await connection.execute("UPDATE users SET password_hash = NULL WHERE email <> %s", (BODIES["login"]["email"],))
        assert answer.status_code < 500, f"{method} {address} as {actor}: {answer.text}"
        if operation and answer.status_code == 400:
            raise AssertionError(f"{method} {path} refuses its own example: {answer.text}")
        return answer

    async def outcome(self, method: str, path: str, kind: str, actor: str) -> str:
        """What somebody gets: ``yes``, the status of the refusal, or ``sign-in`` where a page leads there."""
        if method == "WS":
            return await self._socket(path.format(**await self._parameters(method, path, kind)), actor)
        answer = await self.call(method, path, kind, actor)
        leads_to = answer.headers.get("location", "")
        if path not in SIGNING and (leads_to.startswith("/login?") or (path == "/" and leads_to == "/login")):
            return "sign-in"
        refusals = (401, 403) if path == "/assets" else (403,) if path == "/oidc/callback" else (401, 403, 404)
        return str(answer.status_code) if answer.status_code in refusals else "yes"

    async def _socket(self, address: str, actor: str) -> str:
        headers = (
            {"origin": ORIGIN, "host": "dash.test", **await self._credentials(actor)}
            if actor in self.users
            else {"host": "dash.test"}
        )
        scope = {
            "type": "websocket", "path": address, "query_string": b"", "server": ("dash.test", 80), "scheme": "ws",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "path_params": {"dashboard_id": address.split("/")[2]},
        }  # fmt: skip

        async def nothing(*_: Any) -> Any: ...

        return "yes" if await self.admission.refusal(WebSocket(scope, nothing, nothing)) is None else "403"


@asynccontextmanager
async def matrix_on(url: str, directory: Path) -> AsyncIterator[Matrix]:
    database = Database(url)
    await database.open()
    with running_provider() as provider:
        oidc = {"oidc_issuer": provider.url, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
        # Mails go nowhere, at once.
        settings = Settings(data_dir=directory, rate_limit=0, smtp_url="smtp://127.0.0.1:1", _env_file=None, **oidc)  # type: ignore[call-arg,arg-type]
        services = make_services(settings, database)
        await services.ingest.start()
        matrix = Matrix(create_app(services), services)
        await matrix.prepare()
        yield matrix
        await services.ingest.stop()
        await services.cached.close()
    await database.close()
