"""Scheduled reports through the API; what becomes of them stands in tests/reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import World, failed

DAILY = {"schedule": {"every": "day", "at": "08:00", "zone": "Europe/Berlin"}}


async def make(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    board = (await client.post("/dashboards", json={"name": "Hosts"})).json()["data"]["id"]
    return await client.post(f"/dashboards/{board}/reports", json=DAILY | more)


async def test_life_of_a_report(admin: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await make(admin, folder="daily")
    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    assert made["when"] == "every day at 08:00 (Europe/Berlin)"
    assert (made["owner"], made["lastAt"], made["error"]) == ("admin@example.org", None, None)
    assert made["nextAt"]
    (listed,) = (await admin.get(f"/dashboards/{made['dashboardId']}/reports")).json()["data"]
    assert listed == made
    sent = (await admin.post(f"/reports/{made['id']}/run")).json()["data"]
    assert (sent["error"], sent["nextAt"]) == (None, made["nextAt"])
    assert sent["lastAt"]
    assert len(list((tmp_path / "reports" / "daily").iterdir())) == 1
    paused = (await admin.put(f"/reports/{made['id']}", json={"paused": True})).json()["data"]
    assert (paused["paused"], paused["nextAt"]) == (True, None)
    assert (await admin.delete(f"/reports/{made['id']}")).status_code == 204
    for method in ("PUT", "DELETE"):
        failed(await admin.request(method, f"/reports/{made['id']}", json={}), 404, "NOT_FOUND")


async def test_folders_are_for_admins(world: World, admin: httpx.AsyncClient, editor: httpx.AsyncClient) -> None:
    failed(await make(editor, folder="daily"), 403, "FORBIDDEN")
    board = (await editor.post("/dashboards", json={"name": "Hosts"})).json()["data"]["id"]
    report = (await admin.post(f"/dashboards/{board}/reports", json=DAILY | {"folder": "daily"})).json()["data"]
    failed(await editor.put(f"/reports/{report['id']}", json={"keep": 1}), 403, "FORBIDDEN")
    assert (await editor.put(f"/reports/{report['id']}", json={"paused": True})).json()["data"]["owner"] == "admin@example.org"


async def test_without_a_mail_server_it_is_said_at_once(editor: httpx.AsyncClient) -> None:
    details = failed(await make(editor, emails=["ada@example.org"]), 400, "VALIDATION_ERROR")
    assert "DASHAPP_SMTP_URL" in details["emails"]


@pytest.mark.parametrize("body", [{}, DAILY, DAILY | {"emails": []}, DAILY | {"emails": ["nobody"]}, DAILY | {"folder": "../up"}])
async def test_what_reaches_nobody_is_refused(admin: httpx.AsyncClient, body: dict[str, Any]) -> None:
    board = (await admin.post("/dashboards", json={"name": "Hosts"})).json()["data"]["id"]
    failed(await admin.post(f"/dashboards/{board}/reports", json=body), 400, "VALIDATION_ERROR")
