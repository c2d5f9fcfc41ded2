"""Alert rules over the API: their life, who may what, what is refused, silences, evaluate."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dashapp.contract.alerts import Event, Rule, Silence
from tests.api.conftest import World, failed

RULE: dict[str, Any] = {
    "name": "CPU",
    "query": "cpu.usage",
    "condition": "gt",
    "threshold": 90,
    "duration": "5 minutes",
    "severity": "critical",
}
SECRET = "https://hooks.example.org/very/secret"


async def make(client: httpx.AsyncClient, **more: Any) -> Rule:
    answer = await client.post("/alerts", json={**RULE, **more})
    assert answer.status_code == 201, answer.text
    return Rule.model_validate(answer.json()["data"])


async def test_life_of_a_rule(editor: httpx.AsyncClient) -> None:
    made = await make(editor, notification={"type": "webhook", "target": SECRET}, groupBy=["host"], tags={"dc": "a"})
    url = f"/alerts/{made.id}"
    data = (await editor.get(url)).json()["data"]
    assert {name: data[name] for name in RULE} == RULE
    assert (data["step"], data["noData"], data["aggregation"], data["state"], data["version"]) == (
        "10s",
        "keep",
        "avg",
        "nodata",
        1,
    )
    assert data["notification"] == {"type": "webhook", "target": SECRET}
    assert data["enabled"] is True
    assert {"createdAt", "updatedAt", "ownerId", "instances", "since", "value"} <= set(data)

    answer = await editor.put(url, json={"name": "Renamed", "duration": "1 hour", "version": 1, "notification": None})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert (data["name"], data["duration"], data["version"], data["notification"]) == ("Renamed", "1 hour", 2, None)
    failed(await editor.put(url, json={"name": "Stale", "version": 1}), 409, "CONFLICT")

    listed = (await editor.get("/alerts")).json()
    assert listed["meta"] == {"total": 1, "page": 1, "pageSize": 50}
    assert listed["data"][0]["id"] == str(made.id)

    deleted = await editor.delete(url)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for gone in (
        await editor.get(url),
        await editor.put(url, json={}),
        await editor.delete(url),
        await editor.post(f"{url}/evaluate"),
    ):
        failed(gone, 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("90s", "90 seconds"),
        ("5m", "5 minutes"),
        ("1 hour", "1 hour"),
        ("3 days", "3 days"),
        ("0s", "0 seconds"),
        ("60 minutes", "1 hour"),
    ],
)
async def test_durations_are_answered_in_words(editor: httpx.AsyncClient, given: str, answered: str) -> None:
    made = await make(editor, duration=given)
    assert (await editor.get(f"/alerts/{made.id}")).json()["data"]["duration"] == answered


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"duration": "soon"}, "duration"),
        ({"duration": "1.5 hours"}, "duration"),
        ({"duration": "500ms"}, "duration"),
        ({"duration": None}, "duration"),
        ({"condition": "above"}, "condition"),
        ({"threshold": "high"}, "threshold"),
        ({"severity": "bad"}, "severity"),
        ({"query": "no such name!"}, "query"),
        ({"name": " "}, "name"),
        ({"step": "500ms"}, "step"),
        ({"step": "2d"}, "step"),
        ({"noData": "fire"}, "noData"),
        ({"function": "derivative"}, "function"),
        ({"aggregation": "median"}, "aggregation"),
        ({"tags": {"host": 1}}, "tags.host"),
        ({"groupBy": ["a b"]}, "groupBy.0"),
        ({"notification": {"type": "pager", "target": "x"}}, "notification.type"),
        ({"notification": {"type": "webhook", "target": "https:///path"}}, "notification.target"),
        ({"notification": {"type": "webhook", "target": "ftp://example.org"}}, "notification.target"),
        ({"notification": {"type": "webhook", "target": "https://user:pass@example.org/"}}, "notification.target"),
        ({"notification": {"type": "webhook", "target": "https://[::1"}}, "notification.target"),
        ({"notification": {"type": "email", "target": "nobody"}}, "notification.target"),
        ({"notification": {"type": "email", "target": "a@b.example\r\nBcc: c@d.example"}}, "notification.target"),
        ({"notification": {"type": "apprise", "target": "slack"}}, "notification.target"),
        ({"threshhold": 5}, "threshhold"),
    ],
)
async def test_bad_rules_name_the_field(refused: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
    assert field in failed(await refused.post("/alerts", json=RULE | change), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("field", ["name", "query", "condition", "threshold"])
async def test_what_is_missing_is_named(refused: httpx.AsyncClient, field: str) -> None:
    body = {key: value for key, value in RULE.items() if key != field}
    assert field in failed(await refused.post("/alerts", json=body), 400, "VALIDATION_ERROR")


async def test_who_may_what(world: World, editor: httpx.AsyncClient, viewer: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    made = await make(editor, notification={"type": "webhook", "target": SECRET})
    url = f"/alerts/{made.id}"
    other = await world.person("other", "editor")
    reader = await world.program("editor", "editor", "read")
    for client in (viewer, other, reader):
        text = (await client.get(url)).text + (await client.get("/alerts")).text
        assert "https://hooks.example.org/…" in text
        assert SECRET not in text
        assert (await client.post(f"{url}/evaluate")).status_code == 200
        for refused in (
            await client.put(url, json={"name": "x"}),
            await client.delete(url),
            await client.post(f"{url}/pause", json={}),
            await client.post(f"{url}/resume"),
        ):
            failed(refused, 403, "FORBIDDEN")
    for client in (viewer, reader):
        failed(await client.post("/alerts", json=RULE), 403, "FORBIDDEN")
        failed(await client.post("/alerts/silences", json={"endsAt": "2099-01-01T00:00:00Z"}), 403, "FORBIDDEN")
    assert (await admin.put(url, json={"name": "Mine now"})).status_code == 200
    assert SECRET in (await admin.get(url)).text


async def test_evaluate_says_how_it_stands_and_writes_nothing(editor: httpx.AsyncClient) -> None:
    made = await make(editor, groupBy=["host"], duration="0s")
    unknown = (await editor.post(f"/alerts/{made.id}/evaluate")).json()["data"]
    assert unknown == {
        "state": "nodata",
        "firing": False,
        "value": None,
        "error": None,
        "instances": [{"tags": {}, "state": "nodata", "value": None}],
    }
    now = int(time.time() * 1000)
    points = [
        {"name": "cpu.usage", "value": value, "tags": {"host": host}, "timestamp": now - 40_000}
        for host, value in (("a", 95), ("b", 5))
    ]
    assert (await editor.post("/metrics", json=points)).status_code == 200
    known = (await editor.post(f"/alerts/{made.id}/evaluate")).json()["data"]
    assert (known["state"], known["firing"], known["value"]) == ("firing", True, 95.0)
    assert [(one["tags"], one["state"], one["value"]) for one in known["instances"]] == [
        ({"host": "a"}, "firing", 95.0),
        ({"host": "b"}, "ok", 5.0),
    ]
    after = (await editor.get(f"/alerts/{made.id}")).json()["data"]
    assert (after["state"], after["instances"]) == ("nodata", [])
    assert (await editor.get("/alerts/history")).json()["data"] == []


async def test_lists_are_filtered_and_paged(editor: httpx.AsyncClient) -> None:
    for number in range(5):
        await make(editor, name=f"r{number}", severity=["info", "warning", "critical"][number % 3], enabled=number < 4)
    page = (await editor.get("/alerts?page=2&pageSize=2")).json()
    assert page["meta"] == {"total": 5, "page": 2, "pageSize": 2}
    assert [rule["name"] for rule in page["data"]] == ["r0", "r3"] or len(page["data"]) == 2
    for query, names in (
        ("q=r1", {"r1"}),
        ("severity=info", {"r0", "r3"}),
        ("severity=info&severity=critical", {"r0", "r2", "r3"}),
        ("state=disabled", {"r4"}),
        ("enabled=true", {"r0", "r1", "r2", "r3"}),
        ("q=%25", set()),
    ):
        assert {rule["name"] for rule in (await editor.get(f"/alerts?{query}")).json()["data"]} == names
    assert "state" in next(iter(failed(await editor.get("/alerts?state=well"), 400, "VALIDATION_ERROR")))
    assert (await editor.get("/alerts?page=9")).json()["meta"]["total"] == 5


async def test_life_of_a_silence(world: World, editor: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    made = await make(editor)
    body = {"ruleId": str(made.id), "tags": {"host": "a"}, "endsAt": "2099-01-01T00:00:00Z", "reason": "maintenance"}
    answer = await editor.post("/alerts/silences", json=body)
    assert answer.status_code == 201, answer.text
    silence = Silence.model_validate(answer.json()["data"])
    assert (silence.active, silence.reason, silence.created_by) == (True, "maintenance", "editor@example.org")
    listed = (await editor.get("/alerts/silences")).json()
    assert [one["id"] for one in listed["data"]] == [str(silence.id)]
    failed(await (await world.person("other", "editor")).delete(f"/alerts/silences/{silence.id}"), 403, "FORBIDDEN")
    assert (await admin.delete(f"/alerts/silences/{silence.id}")).status_code == 204
    failed(await editor.delete(f"/alerts/silences/{silence.id}"), 404, "NOT_FOUND")
    assert "ruleId" in failed(await editor.post("/alerts/silences", json=body | {"ruleId": str(uuid4())}), 400, "VALIDATION_ERROR")
    assert "endsAt" in failed(
        await editor.post("/alerts/silences", json={"endsAt": "2026-01-01T00:00:00"}), 400, "VALIDATION_ERROR"
    )


async def test_pause_and_resume(editor: httpx.AsyncClient) -> None:
    made = await make(editor)
    paused = await editor.post(f"/alerts/{made.id}/pause", json={})
    assert paused.json()["data"]["pausedUntil"].startswith("9999")
    until = (await editor.post(f"/alerts/{made.id}/pause", json={"until": "2099-01-01T00:00:00Z"})).json()["data"]
    assert until["pausedUntil"].startswith("2099")
    assert (await editor.post(f"/alerts/{made.id}/resume")).json()["data"]["pausedUntil"] is None


async def test_history_of_nobody_is_not_found(editor: httpx.AsyncClient) -> None:
    failed(await editor.get(f"/alerts/{uuid4()}/history"), 404, "NOT_FOUND")
    made = await make(editor)
    assert (await editor.get(f"/alerts/{made.id}/history")).json() == {"data": [], "meta": {"total": 0, "page": 1, "pageSize": 50}}


def test_an_event_has_what_the_contract_says() -> None:
    wire = {field.alias or name for name, field in Event.model_fields.items()}
    assert {"id", "ruleId", "ruleName", "status", "value", "tags", "triggeredAt", "resolvedAt"} <= wire
