from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from dashapp import logs
from dashapp.pages.requests import Requests
from tests.running import Dashapp


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("restored")
async def test_each_line_has_the_requests_id_and_a_bug_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    app = FastAPI()

    @app.get("/bug")
    async def bug() -> None:
        logging.getLogger("dashapp.somewhere").warning("about to fail\nbadly")
        raise RuntimeError("internal detail")

    logs.setup("json", "info")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Requests(app)), base_url="http://dash.test") as client:
        answer = await client.get("/bug")
    assert answer.status_code == 500
    assert "internal detail" not in answer.text
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    own = [line for line in lines if line["logger"].startswith("dashapp")]
    assert len({line["requestId"] for line in own}) == 1
    assert own[0]["requestId"] != "-"
    assert own[0]["message"] == "about to fail\nbadly"
    assert "internal detail" in own[1]["exception"]
    assert (own[2]["method"], own[2]["path"], own[2]["status"]) == ("GET", "/bug", 500)


def test_a_server_logs_as_it_is_told(database_url: str, tmp_path: Path) -> None:
    environment = {"DASHAPP_DATABASE_URL": database_url, "DASHAPP_LOG_FORMAT": "json", "DASHAPP_LOG_LEVEL": "info"}
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()
    answer = httpx.get(f"{server.url}/api/v1/auth/me")
    server.stop()
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert [line["path"] for line in lines if line["requestId"] == answer.headers["X-Request-Id"]] == ["/api/v1/auth/me"]
