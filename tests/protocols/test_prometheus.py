"""A real Prometheus scrapes dashapp's own figures and writes them to dashapp."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashapp.accounts.accounts import Accounts
from dashapp.contract.accounts import Scope, TokenRequest
from dashapp.database.pool import Database
from tests import prometheus
from tests.running import Dashapp, until

CONFIGURATION = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: dashapp
    static_configs: [{{targets: ["{host}"]}}]
remote_write:
  - url: http://{host}/api/v1/write
    authorization: {{credentials: "{token}"}}
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 1s}}
"""


@pytest.fixture
async def tokens(database: Database) -> dict[Scope, str]:
    accounts = Accounts(database)
    user = await accounts.create_user("editor@example.org", None, "editor")
    made = [await accounts.create_token(user, TokenRequest(name="x", scope=scope)) for scope in ("ingest", "read")]
    return {token.scope: token.token for token in made}


@pytest.mark.skipif(not prometheus.find() and not os.environ.get("CI"), reason=prometheus.MISSING)
def test_what_prometheus_scrapes_arrives(database_url: str, tokens: dict[Scope, str], tmp_path: Path) -> None:
    program = prometheus.find()
    assert program, prometheus.MISSING
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env={"DASHAPP_DATABASE_URL": database_url})
    try:
        server.ready()
        host = server.url.removeprefix("http://")
        configuration = tmp_path / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(host=host, token=tokens["ingest"]))
        log = tmp_path / "log"
        headers = {"Authorization": f"Bearer {tokens['read']}", "Cache-Control": "no-cache"}
        with httpx.Client(base_url=server.url, headers=headers) as client, log.open("wb") as out:
            process = subprocess.Popen(
                [program, f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                 "--web.listen-address=127.0.0.1:0"],
                stdout=out, stderr=out,
            )  # fmt: skip
            try:
                until(
                    lambda: _values(client, "dashapp_samples_written_total", tags={"job": "dashapp", "instance": host}), "samples"
                )
                until(lambda: 1.0 in _values(client, "up"), "a scrape that succeeded")
                # What sorts of metrics these are arrives apart from their samples.
                until(lambda: _type(client, "dashapp_samples_written_total") == "counter", "the metric's type")
                until(lambda: _type(client, "process_resident_memory_bytes") == "gauge", "the type of another")
                assert "dashapp_samples_left_out_total{" not in client.get("/metrics").text
            finally:
                process.terminate()
                process.wait(30)
        assert b"non-recoverable" not in log.read_bytes()
    finally:
        server.stop()


def _values(client: httpx.Client, name: str, **more: Any) -> list[float]:
    body = {"queries": [{"id": "a", "query": name, "start": _at(-600), "end": _at(60), "step": "1s", **more}]}
    answer = client.post("/api/v1/query/batch", json=body).raise_for_status().json()["data"]["a"]
    return [value for series in answer["series"] for value in series["values"] if value is not None]


def _at(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _type(client: httpx.Client, name: str) -> str | None:
    found = client.get("/api/v1/metrics", params={"q": name}).raise_for_status().json()["data"]
    return next((metric["type"] for metric in found if metric["name"] == name), None)
