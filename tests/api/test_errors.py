from __future__ import annotations

import logging
import re
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from dashapp.services import Services
from tests.api.conftest import BASE, failed
from tests.api.test_metrics import over, point


async def test_unknown_addresses_and_methods(editor: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    for someone in (editor, client):
        for path in ("/", "", "/nope", "/dashboards/", "/dashboards/a/b/c", "/docs", "/redoc"):
            failed(await someone.get(path), 404, "NOT_FOUND")
    answer = await editor.patch("/dashboards")
    failed(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"]
    for path in ("/dashboards/nope", "/dashboards/00000000"):
        failed(await editor.get(path), 404, "NOT_FOUND")


async def test_ids_that_are_none_are_no_addresses(editor: httpx.AsyncClient) -> None:
    schema = (await editor.get("/openapi.json")).json()
    tried = 0
    for path, operations in schema["paths"].items():
        for method in operations if re.search(r"{\w+_id}", path) else ():
            for id_ in ("nope", "0", "00000000-0000-0000-0000-00000000000g", "%00", "%F0%9F%92%A9", "a%2E%2E", "null", "1" * 5_000):
                answer = await editor.request(method.upper(), re.sub(r"{\w+_id}", id_, path))
                assert answer.status_code in (404, 405), f"{method} {path} {id_}: {answer.text}"
                tried += 1
    assert tried > 150


async def test_everything_but_signing_in_wants_a_sign_in(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    seen = 0
    for path, operations in schema["paths"].items():
        for method in operations:
            if path in ("/auth/login", "/auth/logout"):
                continue
            url = re.sub(r"{\w+_id}", str(uuid4()), path).replace("{name}", "a")
            failed(await client.request(method.upper(), url), 401, "UNAUTHORIZED")
            client.cookies.set("dashapp_session", "nonsense")
            failed(await client.request(method.upper(), url), 401, "UNAUTHORIZED")
            client.cookies.clear()
            seen += 1
    assert seen >= 18


async def test_a_bug_shows_nothing_and_is_found_by_its_id(
    editor: httpx.AsyncClient, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    async with services.database.connection() as connection:
        await connection.execute("ALTER TABLE panels RENAME TO secret_internals")
    with caplog.at_level(logging.ERROR):
        answer = await editor.post("/dashboards", json={"name": "x", "panels": [{"title": "t", "type": "line", "query": "q"}]})
    failed(answer, 500, "INTERNAL_ERROR")
    for internal in ("panels", "psycopg", "relation", "Traceback"):
        assert internal not in answer.text
    record = next(record for record in caplog.records if answer.headers["X-Request-Id"] in record.getMessage())
    assert record.exc_info
    assert 'relation "panels" does not exist' in str(record.exc_info[1])


async def test_when_the_database_is_away(editor: httpx.AsyncClient, client: httpx.AsyncClient, services: Services) -> None:
    await services.database.close()
    for answer in (
        await editor.get("/dashboards"),
        await editor.post("/metrics", json=[point()]),
        await editor.post("/query", json=over()),
        await client.get("/auth/me", headers={"Authorization": "Bearer x"}),
        await client.post("/auth/login", json={"email": "a@b.org", "password": "x"}),
    ):
        failed(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0


async def test_each_answer_has_an_id_of_its_own_and_is_not_kept(editor: httpx.AsyncClient) -> None:
    answers = [await editor.get("/dashboards", headers={"X-Request-Id": "mine"}) for _ in range(2)]
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == 2
    assert "mine" not in ids
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


async def test_the_app_around_is_left_in_peace(app: FastAPI, services: Services) -> None:
    """Its own errors and pages are its own."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.get("http://dash.test/elsewhere")
    assert answer.status_code == 404
    assert "X-Request-Id" not in answer.headers
