"""The API does what its OpenAPI document says, also for what nobody would send: Schemathesis against a real server."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import TokenRequest
from dashapp.database.pool import Database
from tests.running import Dashapp

SECONDS = 18
#: What a schema can't say: `x + w ≤ 12`, `start` before `end`, a batch whose queries fail one by one, dates as numbers; and
#: PUT of /alerts/silences meets /alerts/{rule_id}, and answers that there is no such rule.
EXCLUDED = ("positive_data_acceptance", "negative_data_rejection", "unsupported_method")


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[tuple[Dashapp, str]]:
    """A server and an admin's token."""

    async def token() -> str:
        database = Database(database_url, size=1)
        await database.open()
        accounts = Accounts(database)
        admin = await accounts.ensure_admin("admin@example.org", None)
        made = await accounts.create_token(admin, TokenRequest(name="tests", scope="write"))
        await database.close()
        return made.token

    environment = {"DASHAPP_DATABASE_URL": database_url, "DASHAPP_RATE_LIMIT": "0"}
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()
    yield server, asyncio.run(token())
    server.stop()


@pytest.mark.timeout(180)
def test_answers_conform_whatever_is_asked(server: tuple[Dashapp, str], tmp_path: Path) -> None:
    running, token = server
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{running.url}/api/v1/openapi.json",
            "--url", f"{running.url}/api/v1", "--header", f"Authorization: Bearer {token}", "--phases", "examples,coverage,fuzzing",
            "--exclude-path", "/dashboards/{dashboard_id}/definition",  # YAML, which it takes for JSON
            "--exclude-path", "/write",  # packed protobuf; test_malformed.py sends it what breaks
            "--checks", "all", "--exclude-checks", ",".join(EXCLUDED), "--max-examples", "8", "--max-time", str(SECONDS),
            "--generation-deterministic", "--no-shrink", "--no-color", "--warnings", "off",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS * 4, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-12_000:]}\n{done.stderr[-2000:]}\n{running.output[-4000:]}"
    assert re.search(r"[1-9]\d* generated", done.stdout), done.stdout[-3000:]
