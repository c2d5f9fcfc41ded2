"""The smaller commands, on a running database."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys

import httpx

from dashapp.accounts.accounts import Accounts
from dashapp.database.migrate import head
from dashapp.database.pool import Database
from tests.running import Dashapp, Running
from tests.timescale import Timescale


def _run(*arguments: str, url: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    return Running(*arguments, env={"DASHAPP_DATABASE_URL": url, **(env or {})}).ended()


def test_migrate_says_what_it_did(empty_database_url: str) -> None:
    assert _run("migrate", url=empty_database_url) == (0, f"The schema was empty and is now {head()}.")
    assert _run("migrate", url=empty_database_url) == (0, f"The schema is {head()}.")


def test_doctor_names_the_tier_and_masks_secrets(database_url: str) -> None:
    code, said = _run("doctor", url=database_url, env={"DASHAPP_SECRET_KEY": "s3cret", "DASHAPP_ADMIN_PASSWORD": "hunter22"})
    assert code == 0, said
    assert re.search(r"storage tier +postgres", said)
    assert "s3cret" not in said
    assert "hunter22" not in said
    assert re.search(r"DASHAPP_SECRET_KEY +\(set\)", said)


def test_doctor_shows_timescaledbs_licence_and_policies(timescale: Timescale) -> None:
    timescale.empty()
    code, said = _run("doctor", url=timescale.url)
    assert code == 0, said
    assert re.search(r"storage tier +timescaledb", said)
    assert re.search(r"TimescaleDB +2\.23\S*, licence timescale", said)
    assert len(re.findall(r"policy +(?:columnstore|refresh|retention) metrics_\w+ +ran not yet; 0 runs, 0 failed", said)) == 6
    assert "a transaction pooler" in said


def test_an_account_and_a_token_made_on_the_command_line_work(database_url: str, tmp_path: object) -> None:
    code, said = _run(
        "user", "add", "ed@example.org", "--role", "editor", url=database_url, env={"DASHAPP_NEW_PASSWORD": "long enough"}
    )
    assert (code, said.splitlines()[-1]) == (0, "ed@example.org is editor.")
    code, token = _run("token", "create", "ci", "--scope", "ingest", "--user", "ed@example.org", url=database_url)
    assert code == 0, token
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env={"DASHAPP_DATABASE_URL": database_url}).ready()
    try:
        headers = {"Authorization": f"Bearer {token}"}
        sent = httpx.post(f"{server.url}/api/v1/metrics", json=[{"name": "ci.seconds", "value": 3}], headers=headers)
        assert sent.json() == {"data": {"accepted": 1}}
        assert httpx.get(f"{server.url}/api/v1/metrics", headers=headers).status_code == 403
    finally:
        server.stop()


def test_unknown_roles_and_scopes_are_refused(database_url: str) -> None:
    assert _run("user", "add", "x@y", "--role", "king", "--password", "12345678", url=database_url) == (
        2,
        "dashapp: --role: 'king' is no role; take viewer, editor or admin.",
    )
    assert _run("token", "create", "x", "--scope", "all", url=database_url)[0] == 2


async def test_password_and_role_are_changed_and_sessions_end(database_url: str) -> None:
    database = Database(database_url, size=1)
    await database.open()
    accounts = Accounts(database)
    admin = await accounts.ensure_admin("ada@example.org", "first password")
    session = await accounts.open_session(admin.id)
    try:
        changed = _run("user", "password", "ada@example.org", url=database_url, env={"DASHAPP_NEW_PASSWORD": "second password"})
        assert changed == (0, "ada@example.org has a new password; its sessions are ended.")
        assert await accounts.by_session(session) is None
        assert (await accounts.login("ada@example.org", "second password"))[0].id == admin.id
        piped = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "dashapp", "user", "password", "ada@example.org", "--stdin"],
            input="third password\n", text=True, capture_output=True, env=os.environ | {"DASHAPP_DATABASE_URL": database_url},
        )  # fmt: skip
        assert piped.returncode == 0, piped.stderr
        assert (await accounts.login("ada@example.org", "third password"))[0].id == admin.id
        code, said = _run("user", "password", "ada@example.org", url=database_url, env={"DASHAPP_NEW_PASSWORD": "short"})
        assert (code, "password" in said) == (1, True)
        assert _run("user", "role", "ada@example.org", "viewer", url=database_url)[0] == 1, "the last admin"
        await accounts.create_user("bob@example.org", None, "viewer")
        assert _run("user", "role", "bob@example.org", "admin", url=database_url) == (0, "bob@example.org is admin.")
        assert _run("user", "role", "ada@example.org", "viewer", url=database_url) == (0, "ada@example.org is viewer.")
        assert _run("user", "role", "ada@example.org", "king", url=database_url)[0] == 2
        assert _run("user", "role", "eve@example.org", "viewer", url=database_url) == (
            1, "dashapp: there is no account 'eve@example.org'.",
        )  # fmt: skip
    finally:
        await database.close()
