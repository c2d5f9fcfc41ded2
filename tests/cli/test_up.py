"""``dashapp up`` as a new user runs it: real processes, signals and a real agent."""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from dashapp.database.embedded import EmbeddedPostgres
from tests.running import Dashapp, Running, until, up


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dashapp-up-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "data"


def _newest(client: httpx.Client, metric: str) -> dict[str, Any] | None:
    body = {"query": metric, "start": "2020-01-01T00:00Z", "end": "2099-01-01T00:00Z", "step": "366d"}
    # Past the cache, which keeps that there is nothing yet for ten seconds.
    answer = client.post("/api/v1/query", json={**body, "aggregation": "count"}, headers={"Cache-Control": "no-cache"})
    assert answer.status_code == 200, answer.text
    points = answer.json()["data"]["data"]
    return dict(points[-1]) if points else None


def test_the_link_opens_this_host_with_its_metrics_and_data_survives_a_restart(data_dir: Path) -> None:
    with up(data_dir) as server:
        assert "tier postgres" in server.output
        client = server.client()
        page = client.get("/")
        assert "This host" in page.text
        assert client.get(server.link).status_code == 200
        for metric in ("cpu.usage", "memory.usage", "load.1m", "disk.usage"):
            until(lambda metric=metric: _newest(client, metric), f"{metric} from the agent")
        counted = _newest(client, "cpu.usage")
        assert counted is not None
        server_pid = EmbeddedPostgres(data_dir).pid
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert server.stop(signal.SIGINT) == 0
        assert server_pid is not None
        assert not psutil.pid_exists(server_pid), "PostgreSQL lives on"
        assert not [child for child in children if child.is_running()], "a child lives on"
        assert "Traceback" not in server.output
    with up(data_dir, "--no-agent") as again:
        client = again.client()
        after = _newest(client, "cpu.usage")
        assert after is not None
        assert after["value"] >= counted["value"]
        assert client.get("/").text.count("This host") == page.text.count("This host"), "the example was loaded twice"


def test_the_sign_in_link_works_once(data_dir: Path) -> None:
    with up(data_dir, "--no-agent") as server:
        first, second = httpx.Client(follow_redirects=True), httpx.Client(follow_redirects=True)
        assert "/d/" in str(first.get(server.link).url)
        refused = second.get(server.link)
        assert refused.status_code == 401
        assert "used already" in refused.text
        assert second.get(f"{server.url}/").url.path == "/login"


def test_what_a_killed_dashapp_leaves_is_taken_over(data_dir: Path) -> None:
    server = Dashapp("up", "--data-dir", str(data_dir), "--port", "0").ready()
    client = server.client()
    assert client.post("/api/v1/metrics", json=[{"name": "kept.point", "value": 1.5}]).status_code == 200
    left = EmbeddedPostgres(data_dir).pid
    agents = [child for child in psutil.Process(server.process.pid).children() if "agent" in child.cmdline()]
    assert left is not None
    assert agents
    server.stop(signal.SIGKILL)
    assert psutil.pid_exists(left)
    until(lambda: not any(agent.is_running() and agent.status() != psutil.STATUS_ZOMBIE for agent in agents), "the agent to notice")
    with up(data_dir, "--no-agent") as again:
        assert EmbeddedPostgres(data_dir).pid == left
        assert _newest(again.client(), "kept.point") is not None
    assert not psutil.pid_exists(left)


def test_a_second_dashapp_on_the_same_data_is_refused(data_dir: Path) -> None:
    with up(data_dir, "--no-agent") as first:
        said = _refused("up", "--data-dir", str(data_dir), "--port", "0")
        assert re.fullmatch(rf"dashapp: another dashapp \(process {first.process.pid}\) uses the data directory .*", said)
        assert httpx.get(f"{first.url}/readyz").status_code == 200


def test_sigterm_while_starting_leaves_nothing_behind(data_dir: Path) -> None:
    server = Running("up", "--data-dir", str(data_dir), "--port", "0")
    until(lambda: EmbeddedPostgres(data_dir).pid, "PostgreSQL to start")
    server.stop(signal.SIGTERM)
    until(lambda: EmbeddedPostgres(data_dir).pid is None, "PostgreSQL to stop")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; without root all tests here run as one")
def test_an_ordinary_user_can_run_it_too(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    data_dir.mkdir()
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    interpreter_closed = any(not parent.stat().st_mode & 0o001 for parent in Path(os.sys.executable).resolve().parents)  # type: ignore[attr-defined]
    if interpreter_closed:
        pytest.skip("this Python lies where other users can't reach it")
    with up(data_dir, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], env={"HOME": str(data_dir)}) as server:
        client = server.client()
        until(lambda: _newest(client, "cpu.usage"), "the agent's samples")
        owner = psutil.Process(EmbeddedPostgres(data_dir).pid).uids().real
        assert owner == nobody.pw_uid


def test_the_parents_of_the_data_directory_keep_their_permissions(data_dir: Path) -> None:
    before = data_dir.parent.stat().st_mode
    with up(data_dir, "--no-agent"):
        server = EmbeddedPostgres(data_dir)
        assert data_dir.parent.stat().st_mode == before
        assert server.socket_dir.stat().st_mode & 0o077 == 0
        pid = server.pid
        assert pid is not None
        listening = [c for c in psutil.Process(pid).net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
        assert listening == []


def test_postgresql_that_ends_by_itself_is_started_again(data_dir: Path) -> None:
    with up(data_dir, "--no-agent") as server:
        client = server.client()
        assert client.post("/api/v1/metrics", json=[{"name": "kept.point", "value": 1.5}]).status_code == 200
        before = EmbeddedPostgres(data_dir).pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        until(lambda: EmbeddedPostgres(data_dir).pid not in (None, before), "another PostgreSQL")
        until(lambda: client.get("/readyz").status_code == 200, "the database to answer")
        assert _newest(client, "kept.point") is not None


# -- bad input: one sentence, exit code 2, no traceback ----------------------------------------------------------------


def _refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    code, said = Running(*arguments, env=env).ended()
    assert code == 2, said
    assert len(said.splitlines()) == 1, said
    return said


def test_an_unreachable_database() -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:1/nowhere"
    for command in ("serve", "up"):
        said = _refused(command, "--port", "0", env={"DASHAPP_DATABASE_URL": url})
        assert "can't be reached" in said
        assert "hunter2" not in said


def test_a_database_url_that_is_none() -> None:
    assert "postgresql://user:password@host" in _refused("serve", "--port", "0", env={"DASHAPP_DATABASE_URL": "mysql://x/y"})


def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = _refused("up", "--port", "0", "--data-dir", str(tmp_path / "file" / "below"))
    assert "can't be written" in said
    assert "--data-dir" in said


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = _refused("up", "--port", str(port), "--data-dir", str(tmp_path))
    assert f"port {port} on 127.0.0.1 is in use" in said
    assert not (tmp_path / "postgres").exists()


def test_a_database_of_a_newer_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in ("serve", "up", "migrate"):
        options = [] if command == "migrate" else ["--port", "0"]
        assert "of a newer dashapp" in _refused(command, *options, env={"DASHAPP_DATABASE_URL": database_url})


def test_an_admin_password_that_is_too_short(data_dir: Path) -> None:
    code, said = Running("up", "--port", "0", "--data-dir", str(data_dir), env={"DASHAPP_ADMIN_PASSWORD": "short"}).ended()
    assert (code, "Traceback" in said) == (2, False)
    assert "dashapp: DASHAPP_ADMIN_PASSWORD: String should have at least 8 characters." in said.splitlines()
    assert EmbeddedPostgres(data_dir).pid is None


def test_an_unmigrated_database(empty_database_url: str) -> None:
    assert "run `dashapp migrate`" in _refused("serve", "--port", "0", env={"DASHAPP_DATABASE_URL": empty_database_url})


def test_a_setting_that_cannot_be() -> None:
    assert "DASHAPP_RETENTION_RAW" in _refused("doctor", env={"DASHAPP_RETENTION_RAW": "soon"})
    assert "RETENTION_RAW must be at least 1d" in _refused("doctor", env={"DASHAPP_RETENTION_RAW": "1h"})
