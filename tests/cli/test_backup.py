"""A backup of a running dashapp, and what comes back from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from dashapp.database.backup import backup, restore
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.errors import StartupError
from tests.conftest import make_database
from tests.running import Running, up

_PASSWORD = {"DASHAPP_ADMIN_EMAIL": "ada@example.org", "DASHAPP_ADMIN_PASSWORD": "correct horse battery"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dashapp-backup-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def _run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    return Running(*arguments, env=env).ended(120)


def _signed_in(url: str) -> httpx.Client:
    client = httpx.Client(base_url=f"{url}/api/v1", headers={"Origin": url}, timeout=30)
    body = {"email": _PASSWORD["DASHAPP_ADMIN_EMAIL"], "password": _PASSWORD["DASHAPP_ADMIN_PASSWORD"]}
    assert client.post("/auth/login", json=body).status_code == 200
    return client


def _everything(client: httpx.Client) -> dict[str, Any]:
    query = {"query": "kept.points", "start": "2020-01-01T00:00Z", "end": "2099-01-01T00:00Z", "step": "366d", "aggregation": "sum"}
    dashboards = client.get("/dashboards").json()["data"]
    return {
        "points": client.post("/query", json=query).json()["data"]["data"],
        "users": [(user["email"], user["role"]) for user in client.get("/users").json()["data"]],
        "dashboards": [client.get(f"/dashboards/{dashboard['id']}").json()["data"] for dashboard in dashboards],
        "alerts": sorted(rule["name"] for rule in client.get("/alerts").json()["data"]),
    }


@pytest.mark.timeout(180)
def test_what_was_saved_while_it_ran_is_there_in_a_new_data_directory(folder: Path) -> None:
    file = folder / "dashapp.backup"
    with up(folder / "old", "--no-agent", env=_PASSWORD) as server:
        client = _signed_in(server.url)
        for number in range(3):
            points = [{"name": "kept.points", "value": 1, "tags": {"n": str(number), "i": str(i)}} for i in range(500)]
            assert client.post("/metrics", json=points).status_code == 200
        assert client.post("/users", json={"email": "eve@example.org", "role": "viewer", "password": "12345678"}).status_code == 201
        before = _everything(client)
        assert before["points"][0]["value"] == 1500
        code, said = _run("backup", str(file), "--data-dir", str(folder / "old"))
        assert (code, said.startswith(f"{file} holds the backup")) == (0, True), said
        assert file.stat().st_mode & 0o777 == 0o600
        assert "exists already" in _run("backup", str(file), "--data-dir", str(folder / "old"))[1]
        code, said = _run("restore", str(file), "--replace", "--data-dir", str(folder / "old"))
        assert (code, "another dashapp (process" in said) == (2, True), said
    code, said = _run("restore", str(file), "--data-dir", str(folder / "new"))
    assert (code, said) == (0, f"The database is as {file} has it. Everybody signs in anew.")
    with up(folder / "new", "--no-agent", env=_PASSWORD) as server:
        assert _everything(_signed_in(server.url)) == before
    # And once more, of the one that doesn't run.
    code, said = _run("backup", str(folder / "second"), "--data-dir", str(folder / "new"))
    assert code == 0, said
    assert EmbeddedPostgres(folder / "new").pid is None


def _metrics(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM metrics ORDER BY name").fetchall()]


def _describe(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO metrics (name) VALUES (%s)", (name,))


class TestADatabaseOfOnesOwn:
    def test_is_replaced_only_when_told(self, database_url: str, tmp_path: Path) -> None:
        _describe(database_url, "saved")
        environment = {"DASHAPP_DATABASE_URL": database_url}
        assert _run("backup", str(tmp_path / "b"), env=environment)[0] == 0
        _describe(database_url, "later")
        code, said = _run("restore", str(tmp_path / "b"), env=environment)
        assert (code, "--replace" in said) == (2, True), said
        assert _metrics(database_url) == ["later", "saved"]
        assert _run("restore", str(tmp_path / "b"), "--replace", env=environment)[0] == 0
        assert _metrics(database_url) == ["saved"]

    def test_is_filled_where_it_is_empty(self, database_url: str, empty_database_url: str, tmp_path: Path) -> None:
        _describe(database_url, "saved")
        with psycopg.connect(database_url) as connection:
            connection.execute("INSERT INTO users (email, role) VALUES ('x@y', 'admin')")
            connection.execute(
                "INSERT INTO sessions (id_hash, user_id, expires_at, ends_at) SELECT 'x', id, 'infinity', 'infinity' FROM users"
            )
        backup(database_url, tmp_path / "b")
        restore(empty_database_url, tmp_path / "b")
        assert _metrics(empty_database_url) == ["saved"]
        with psycopg.connect(empty_database_url) as connection:
            assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,), "one that was ended would live again"

    def test_is_left_alone_while_it_is_served(self, database_url: str, tmp_path: Path) -> None:
        backup(database_url, tmp_path / "b")
        with psycopg.connect(database_url, application_name="dashapp"), pytest.raises(StartupError, match="stop it before"):
            restore(database_url, tmp_path / "b", replace=True)

    @pytest.mark.parametrize("replace", [True, False])
    def test_is_as_before_when_it_fails(
        self, postgres: EmbeddedPostgres, database_url: str, empty_database_url: str, tmp_path: Path, replace: bool
    ) -> None:
        _describe(database_url, "saved")
        with psycopg.connect(database_url) as connection:
            connection.execute("CREATE TABLE zzz AS SELECT md5(n::text) FROM generate_series(1, 20000) n")
        backup(database_url, tmp_path / "b")
        whole = (tmp_path / "b").read_bytes()
        (tmp_path / "cut").write_bytes(whole[: len(whole) * 2 // 3])
        target = database_url if replace else empty_database_url
        with pytest.raises(StartupError, match="pg_restore failed"):
            restore(target, tmp_path / "cut", replace=replace)
        if replace:
            assert _metrics(database_url) == ["saved"]
        with psycopg.connect(target) as connection:
            tables = connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'metrics'").fetchone()
            assert tables == (1 if replace else 0,)
            leftover = "SELECT datname FROM pg_database WHERE datname ~ '_(restoring|replaced)$'"
            assert connection.execute(leftover).fetchall() == []

    def test_of_a_newer_dashapp_is_refused(self, database_url: str, empty_database_url: str, tmp_path: Path) -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        backup(database_url, tmp_path / "b")
        with pytest.raises(StartupError, match="of a newer dashapp"):
            restore(empty_database_url, tmp_path / "b")
        with psycopg.connect(empty_database_url) as connection:
            assert connection.execute("SELECT to_regclass('public.users')").fetchone() == (None,)


def test_what_is_no_backup(postgres: EmbeddedPostgres, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(StartupError, match="is no backup; dashapp backup makes them"):
        restore(database_url, tmp_path / "text", replace=True)
    with pytest.raises(StartupError, match="can't be read"):
        restore(database_url, tmp_path / "nothing", replace=True)
    with pytest.raises(StartupError, match="holds nothing of dashapp"):
        backup(make_database(postgres, template="template1"), tmp_path / "b")
    assert not (tmp_path / "b").exists()
    code, said = _run("backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "none"))
    assert (code, "there is no database in" in said) == (2, True)


def test_programs_that_are_too_old_are_named(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("dashapp.database.backup.wheel_installation", lambda: tmp_path / "nowhere")
    with pytest.raises(StartupError, match="pg_dump 9 is too old for a server of PostgreSQL 18; install the client programs"):
        backup(database_url, tmp_path / "b")
    old.unlink()
    with pytest.raises(StartupError, match="there is no pg_dump on this machine"):
        backup(database_url, tmp_path / "b")
