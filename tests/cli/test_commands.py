"""The smaller commands, on a running database."""

from __future__ import annotations

import re

import httpx

from dashapp.database.migrate import head
from tests.running import Dashapp, Running


def _run(*arguments: str, url: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    command = Running(*arguments, env={"DASHAPP_DATABASE_URL": url, **(env or {})})
    code = command.process.wait(60)
    command._reader.join(5)
    return code, command.output


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
