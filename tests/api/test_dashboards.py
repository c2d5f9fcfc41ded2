from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dashapp.contract.dashboards import Dashboard, DashboardSummary, Panel
from tests.api.conftest import World, failed

PANEL = {"title": "CPU", "type": "line", "query": "cpu.usage"}


async def make(client: httpx.AsyncClient, **more: Any) -> Dashboard:
    body = {"name": "Hosts", "panels": [PANEL, {**PANEL, "title": "Memory"}], **more}
    answer = await client.post("/dashboards", json=body)
    assert answer.status_code == 201, answer.text
    return Dashboard.model_validate(answer.json()["data"])


async def test_life_of_a_dashboard(editor: httpx.AsyncClient) -> None:
    made = await make(editor, description="d", isPublic=True)
    assert (made.version, made.is_public, len(made.panels)) == (1, True, 2)
    url = f"/dashboards/{made.id}"
    data = (await editor.get(url)).json()["data"]
    assert set(data) == {
        "id", "name", "description", "ownerId", "isPublic", "variables", "panels", "layout", "version", "createdAt", "updatedAt",
    }  # fmt: skip
    assert set(data["layout"][0]) == {"i", "x", "y", "w", "h"}
    assert Dashboard.model_validate(data) == made

    answer = await editor.put(url, json={"name": "Renamed", "version": 1})
    assert answer.status_code == 200
    assert (answer.json()["data"]["name"], answer.json()["data"]["version"]) == ("Renamed", 2)

    deleted = await editor.delete(url)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for answer in (await editor.get(url), await editor.put(url, json={}), await editor.delete(url)):
        failed(answer, 404, "NOT_FOUND")


async def test_life_of_a_panel(editor: httpx.AsyncClient) -> None:
    made = await make(editor)
    answer = await editor.post(f"/dashboards/{made.id}/panels", json={**PANEL, "title": "Net", "options": {"unit": "bytes/s"}})
    assert answer.status_code == 201
    panel = Panel.model_validate(answer.json()["data"])
    assert (panel.position.y, panel.options.unit, panel.dashboard_id) == (4, "bytes/s", made.id)
    answer = await editor.put(f"/panels/{panel.id}", json={"type": "stat", "version": 2})
    assert answer.status_code == 200
    assert (answer.json()["data"]["type"], answer.json()["data"]["options"]["unit"]) == ("stat", "bytes/s")
    failed(await editor.put(f"/panels/{panel.id}", json={"type": "bar", "version": 2}), 409, "CONFLICT")
    failed(await editor.post(f"/dashboards/{made.id}/panels?version=1", json=PANEL), 409, "CONFLICT")
    assert (await editor.delete(f"/panels/{panel.id}")).status_code == 204
    for answer in (await editor.put(f"/panels/{panel.id}", json={}), await editor.delete(f"/panels/{panel.id}")):
        failed(answer, 404, "NOT_FOUND")
    assert (await editor.get(f"/dashboards/{made.id}")).json()["data"]["version"] == 4


async def test_lists_are_paged(editor: httpx.AsyncClient, viewer: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    for n in range(5):
        await make(editor, name=f"d{n}", isPublic=n % 2 == 0)
    answer = (await editor.get("/dashboards?page=2&pageSize=2")).json()
    assert answer["meta"] == {"total": 5, "page": 2, "pageSize": 2}
    assert [DashboardSummary.model_validate(item).name for item in answer["data"]] == ["d2", "d3"]
    assert (await viewer.get("/dashboards")).json()["meta"]["total"] == 3
    assert (await admin.get("/dashboards")).json()["meta"] == {"total": 5, "page": 1, "pageSize": 50}
    details = failed(await editor.get("/dashboards?page=0&pageSize=100000"), 400, "VALIDATION_ERROR")
    assert set(details) == {"page", "pageSize"}


class TestLayout:
    async def test_moves_all_or_nothing(self, editor: httpx.AsyncClient) -> None:
        made = await make(editor)
        one, two = (str(item.i) for item in made.layout)
        swapped = [{"i": one, "x": 6, "y": 0, "w": 6, "h": 4}, {"i": two, "x": 0, "y": 0, "w": 6, "h": 4}]
        answer = await editor.put(f"/dashboards/{made.id}", json={"layout": swapped, "version": 1})
        assert answer.status_code == 200
        after = answer.json()["data"]
        assert [item["i"] for item in after["layout"]] == [two, one]
        assert [panel["position"]["x"] for panel in after["panels"]] == [0, 6]

        for layout, field in (
            ([swapped[0], {**swapped[1], "x": 11}], "layout.1"),
            ([swapped[0], {**swapped[1], "h": 9}], "layout.1.h"),
            ([swapped[0], {**swapped[1], "i": str(uuid4())}], "layout.1.i"),
            ([swapped[0], {**swapped[1], "i": "x"}], "layout.1.i"),
            ([swapped[0], swapped[0]], "layout.1.i"),
        ):
            answer = await editor.put(f"/dashboards/{made.id}", json={"name": "lost", "layout": layout})
            assert field in failed(answer, 400, "VALIDATION_ERROR")
        failed(await editor.put(f"/dashboards/{made.id}", json={"name": "lost", "layout": swapped, "version": 1}), 409, "CONFLICT")
        assert (await editor.get(f"/dashboards/{made.id}")).json()["data"] == after

    async def test_of_two_at_once_one_wins(self, editor: httpx.AsyncClient) -> None:
        made = await make(editor)
        puts = [editor.put(f"/dashboards/{made.id}", json={"name": f"n{n}", "version": 1}) for n in range(4)]
        assert sorted(answer.status_code for answer in await asyncio.gather(*puts)) == [200, 409, 409, 409]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "owner": 1}, "owner"),
        ({"name": "x", "panels": [PANEL, {**PANEL, "type": "pie"}]}, "panels.1.type"),
        ({"name": "x", "panels": [{**PANEL, "query": "a b"}]}, "panels.0.query"),
        ({"name": "x", "panels": [{**PANEL, "options": {"showLegend": "maybe"}}]}, "panels.0.options.showLegend"),
        ({"name": "x", "panels": [{**PANEL, "options": {"function": "median"}}]}, "panels.0.options.function"),
        ({"name": "x", "panels": [{**PANEL, "options": {"alias": "\x00"}}]}, "panels.0.options.alias"),
        ({"name": "x", "panels": [{**PANEL, "options": {"tags": {"a": "\x00"}}}]}, "panels.0.options.tags.a"),
        ({"name": "x", "panels": [PANEL] * 101}, "panels"),
    ],
)
async def test_bad_dashboards_make_nothing(refused: httpx.AsyncClient, body: object, field: str) -> None:
    assert field in failed(await refused.post("/dashboards", json=body), 400, "VALIDATION_ERROR")
    assert (await refused.get("/dashboards")).json()["meta"]["total"] == 0


class TestWhoMay:
    """Each row: who, to a private and to a public dashboard of the editor: see, change."""

    @pytest.mark.parametrize(
        ("name", "role", "private", "public"),
        [
            ("editor", "editor", (200, 200), (200, 200)),
            ("boss", "admin", (200, 200), (200, 200)),
            ("colleague", "editor", (404, 404), (200, 403)),
            ("guest", "viewer", (404, 404), (200, 403)),
        ],
    )
    async def test_people(self, world: World, name: str, role: Any, private: tuple[int, int], public: tuple[int, int]) -> None:
        owner = await world.person("editor", "editor")
        someone = await world.person(name, role)
        for is_public, (see, change) in ((False, private), (True, public)):
            made = await make(owner, isPublic=is_public)
            url, panel = f"/dashboards/{made.id}", f"/panels/{made.panels[0].id}"
            assert (await someone.get(url)).status_code == see
            assert (await someone.put(url, json={"description": "x"})).status_code == change
            assert (await someone.put(panel, json={"title": "x"})).status_code == change
            added = 201 if change == 200 else change
            assert (await someone.post(f"{url}/panels", json=PANEL)).status_code == added
            gone = 204 if change == 200 else change
            assert (await someone.delete(panel)).status_code == gone
            assert (await someone.delete(url)).status_code == gone

    async def test_hidden_and_missing_look_the_same(self, world: World) -> None:
        made = await make(await world.person("editor", "editor"))
        guest = await world.person("guest", "viewer")
        for method, hidden, missing in (
            ("GET", f"/dashboards/{made.id}", f"/dashboards/{uuid4()}"),
            ("DELETE", f"/dashboards/{made.id}", f"/dashboards/{uuid4()}"),
            ("DELETE", f"/panels/{made.panels[0].id}", f"/panels/{uuid4()}"),
        ):
            answers = [await guest.request(method, url) for url in (hidden, missing)]
            assert answers[0].status_code == 404
            assert answers[0].content == answers[1].content

    async def test_viewers_make_none(self, viewer: httpx.AsyncClient) -> None:
        failed(await viewer.post("/dashboards", json={"name": "x"}), 403, "FORBIDDEN")

    @pytest.mark.parametrize(("scope", "read", "create"), [("ingest", 403, 403), ("read", 200, 403), ("write", 200, 201)])
    async def test_programs(self, world: World, scope: Any, read: int, create: int) -> None:
        made = await make(await world.person("editor", "editor"))
        program = await world.program("editor", "editor", scope)
        change = 200 if create == 201 else 403
        assert (await program.get("/dashboards")).status_code == read
        assert (await program.get(f"/dashboards/{made.id}")).status_code == read
        assert (await program.post("/dashboards", json={"name": "x"})).status_code == create
        assert (await program.put(f"/dashboards/{made.id}", json={"name": "y"})).status_code == change
        # A scope tells nothing of what exists.
        if scope != "write":
            failed(await program.delete(f"/dashboards/{uuid4()}"), 403, "FORBIDDEN")


async def test_deletions_are_taken_back_by_who_may_change(editor: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    made = await make(editor, isPublic=True)
    one = made.panels[0].id
    assert (await editor.delete(f"/panels/{one}", params={"version": made.version})).status_code == 204
    failed(await editor.delete(f"/panels/{made.panels[1].id}", params={"version": made.version}), 409, "CONFLICT")
    failed(await viewer.post(f"/panels/{one}/restore"), 403, "FORBIDDEN")
    back = await editor.post(f"/panels/{one}/restore")
    assert Panel.model_validate(back.json()["data"]) == made.panels[0]
    failed(await editor.post(f"/panels/{one}/restore"), 404, "NOT_FOUND")

    assert (await editor.delete(f"/dashboards/{made.id}")).status_code == 204
    failed(await viewer.post(f"/dashboards/{made.id}/restore"), 403, "FORBIDDEN")
    again = await editor.post(f"/dashboards/{made.id}/restore")
    assert Dashboard.model_validate(again.json()["data"]).panels == made.panels
    failed(await editor.post(f"/dashboards/{made.id}/restore"), 404, "NOT_FOUND")


async def test_an_editor_learns_what_panels_there_are(viewer: httpx.AsyncClient) -> None:
    data = (await viewer.get("/panels/types")).json()["data"]
    assert [one["type"] for one in data["types"]] == ["line", "area", "bar", "gauge", "stat", "table", "heatmap", "text", "alerts"]
    assert {"name", "label", "group", "kind", "choices"} <= set(data["options"][0])


async def test_variables_are_kept_and_judged(editor: httpx.AsyncClient) -> None:
    host = {"name": "host", "metric": "cpu.usage", "tag": "host", "multi": True}
    made = (await editor.post("/dashboards", json={"name": "V", "variables": [host]})).json()["data"]
    assert made["variables"] == [{**host, "label": "", "values": [], "all": True, "default": []}]
    url = f"/dashboards/{made['id']}"
    for wrong, field in (
        ([host, host], "variables"), ([{"name": "host"}], "variables.0"), ([{**host, "name": "a b"}], "variables.0.name"),
        ([{"name": f"v{index}", "values": ["x"]} for index in range(21)], "variables"),
    ):  # fmt: skip
        assert set(failed(await editor.put(url, json={"name": "lost", "variables": wrong}), 400, "VALIDATION_ERROR")) == {field}
    again = (await editor.get(url)).json()["data"]
    assert (again["name"], again["variables"], again["version"]) == ("V", made["variables"], 1)
    assert (await editor.put(url, json={"variables": []})).json()["data"]["variables"] == []


async def test_words_need_no_metric_and_plots_do(editor: httpx.AsyncClient) -> None:
    made = await make(editor)
    words = {"title": "Read me", "type": "text", "options": {"content": "**hello**"}}
    url = f"/dashboards/{made.id}/panels"
    panel = (await editor.post(url, json=words)).json()["data"]
    assert (panel["query"], panel["options"]["content"]) == ("", "**hello**")
    assert set(failed(await editor.post(url, json={**words, "type": "line"}), 400, "VALIDATION_ERROR")) == {"query"}
    assert set(failed(await editor.put(f"/panels/{panel['id']}", json={"type": "line"}), 400, "VALIDATION_ERROR")) == {"query"}
    answer = await editor.put(f"/panels/{panel['id']}", json={"type": "line", "query": "cpu.usage"})
    assert (answer.status_code, answer.json()["data"]["type"]) == (200, "line")
