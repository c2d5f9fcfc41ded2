"""What is secret stands in no log, no error and not in what `doctor` prints, however much goes wrong."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict

from dashapp.accounts.accounts import Accounts
from dashapp.database.pool import Database
from tests.api.test_metrics import over
from tests.running import Dashapp

PASSWORD = "correct horse battery"
#: Each is looked for in all that is printed and answered.
SECRETS = {
    "DASHAPP_SECRET_KEY": "0d6a-secret-key-0d6a0d6a0d6a0d6a0d6a",
    "DASHAPP_ADMIN_PASSWORD": "admin-password-7c1f",
    "DASHAPP_SMTP_URL": "smtp://robot:smtp-password-91be@127.0.0.1:9",
    "DASHAPP_WEBHOOK_SECRET": "webhook-secret-55aa",
    "DASHAPP_OIDC_CLIENT_SECRET": "client-secret-e02d",
    "DASHAPP_CACHE_URL": "redis://robot:cache-password-3b3b@127.0.0.1:9/0",
}
WORDS = {re.sub(r".*:([^@]+)@.*", r"\1", secret) for secret in SECRETS.values()} | {PASSWORD, "database-password-c4c4"}


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """The settings, with every secret set; its own database asks for no password, and is given one all the same."""

    async def admin() -> None:
        database = Database(database_url, size=1)
        await database.open()
        await Accounts(database).ensure_admin("admin@localhost", SECRETS["DASHAPP_ADMIN_PASSWORD"])
        await database.close()

    asyncio.run(admin())
    url = "postgresql://postgres:database-password-c4c4@" + database_url.partition("@")[2]
    assert conninfo_to_dict(url)["password"] == "database-password-c4c4"
    return SECRETS | {
        "DASHAPP_DATABASE_URL": url, "DASHAPP_MAIL_FROM": "dashapp@example.org", "DASHAPP_LOG_LEVEL": "debug",
        "DASHAPP_LOG_FORMAT": "json", "DASHAPP_OIDC_ISSUER": "http://127.0.0.1:9", "DASHAPP_OIDC_CLIENT_ID": "dashapp",
    }  # fmt: skip


def test_nothing_secret_is_logged_or_answered(environment: dict[str, str], tmp_path: Path) -> None:
    server = Dashapp("serve", "--port", "0", "--data-dir", str(tmp_path), env=environment).ready()
    said, given = [], set()
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=30) as browser:

        def ask(method: str, path: str, **options: object) -> httpx.Response:
            answer = browser.request(method, path, **options)  # type: ignore[arg-type]
            said.append(f"{answer.status_code} {answer.text} {dict(answer.headers)}")
            return answer

        ask("POST", "/api/v1/auth/login", json={"email": "admin@localhost", "password": PASSWORD})
        ask("POST", "/login", data={"email": "admin@localhost", "password": PASSWORD})
        right = {"email": "admin@localhost", "password": SECRETS["DASHAPP_ADMIN_PASSWORD"]}
        answer = browser.post("/api/v1/auth/login", json=right)
        assert answer.status_code == 200, answer.text
        given.add(browser.cookies["dashapp_session"])
        made = browser.post("/api/v1/auth/tokens", json={"name": "t", "scope": "write"}).json()["data"]["token"]
        me = ask("GET", "/api/v1/auth/me", headers={"Authorization": f"Bearer {made}"}).json()["data"]
        link = browser.post(f"/api/v1/users/{me['id']}/signin-link").json()["data"]["path"]
        board = ask("POST", "/api/v1/dashboards", json={"name": "D"}).json()["data"]
        public = browser.post(f"/api/v1/dashboards/{board['id']}/publish").json()["data"]["path"]
        given |= {made, link.partition("=")[2], public.rpartition("/")[2]}
        for path in (public, f"{public}/board", f"/p/{'x' * 32}", f"/d/{board['id']}", "/account", "/audit", "/oidc/login"):
            browser.get(path)
        browser.cookies.clear()
        ask("GET", link)
        ask("GET", link)  # again, by somebody else
        browser.cookies.clear()
        broken = {"Authorization": f"Bearer {made}"}
        for kind, target in (("email", "ada@example.org"), ("webhook", "http://127.0.0.1:9/webhook-path-8d8d")):
            rule = {"name": "R", "query": "q", "condition": "gt", "threshold": 1, "notification": {"type": kind, "target": target}}
            id_ = ask("POST", "/api/v1/alerts", json=rule, headers=broken).json()["data"]["id"]
            told = ask("POST", f"/api/v1/alerts/{id_}/test", headers=broken)
            assert not told.json()["data"]["sent"]
        ask("POST", "/api/v1/query", json=over(), headers=broken)  # the cache is away
        ask("PUT", "/api/v1/auth/password", json={"current": PASSWORD, "new": PASSWORD}, headers=broken)
        ask("POST", "/api/v1/auth/tokens", content=f'{{"name": "{PASSWORD}', headers=broken)
        for scheme in ("Bearer", "Basic", "Token", "Digest"):
            ask("GET", "/api/v1/auth/me", headers={"Authorization": f"{scheme} {made}x"})
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/nowhere"):
            ask("GET", path)
    server.stop()
    logged = server.output
    assert '"path": "/api/v1/auth/login"' in logged, "debug is on"
    found = [word for word in WORDS | given | {"webhook-path-8d8d"} if word in logged]
    assert found == [], logged[:20_000]
    assert [word for word in WORDS if any(word in one for one in said)] == []


def test_nothing_secret_is_printed(environment: dict[str, str], tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DASHAPP_")}
    away = {"DASHAPP_DATABASE_URL": "postgresql://robot:database-password-c4c4@127.0.0.1:9/x"}
    for command in ("doctor", "migrate", "serve"):
        done = subprocess.run(
            [sys.executable, "-m", "dashapp", command], env=clean | environment | away | {"DASHAPP_DATA_DIR": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert [word for word in WORDS if word in done.stdout + done.stderr] == [], command
    done = subprocess.run(
        [sys.executable, "-m", "dashapp", "doctor"], env=clean | environment | {"DASHAPP_DATA_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "storage tier" in done.stdout
    assert [word for word in WORDS if word in done.stdout + done.stderr] == []
