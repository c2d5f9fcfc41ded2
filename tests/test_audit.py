"""Every route that changes something leaves an entry of who did it, or stands below with the reason why it doesn't."""

from __future__ import annotations

from tests.matrix import Matrix, rows

_API = "/api/v1"
_SAMPLES = "samples are counted in /metrics, not told one by one"
_READS = "it only reads, with a body for its question"
UNAUDITED = {
    f"POST {_API}/metrics": _SAMPLES,
    f"POST {_API}/write": _SAMPLES,
    f"POST {_API}/influx/write": _SAMPLES,
    f"POST {_API}/influx/api/v2/write": _SAMPLES,
    f"POST {_API}/query": _READS,
    f"POST {_API}/query/batch": _READS,
    f"POST {_API}/alerts/backtest": _READS,
    f"POST {_API}/alerts/{{rule_id}}/evaluate": _READS,
    "POST /alerts/preview": _READS,
    "POST /explore/picture": _READS,
    f"POST {_API}/alerts/{{rule_id}}/test": "it changes nothing here, and says itself in what it sends that it is a test",
}
_SIGNING_IN = ("/login", "/signin", f"{_API}/auth/login")
#: GET changes nothing, but for these: a link is followed, and somebody is signed in. /oidc/callback is tried in
#: tests/pages/test_provider.py, by who really went to the provider.
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")


async def test_every_change_leaves_an_entry_with_its_request(matrix: Matrix) -> None:
    changing = {f"{method} {path}" for method, path, _ in rows(matrix.app) if method in _CHANGING} | {"GET /signin"}
    silent = set()
    for route in sorted(changing):
        method, _, path = route.partition(" ")
        kind = "private" if "{dashboard_id}" in path or "{panel_id}" in path else ""
        actor = "anonymous" if path in _SIGNING_IN else "admin" if "/users" in path else "owner"
        answer = await matrix.call(method, path, kind, actor)
        assert answer.status_code < 400, f"{route}: {answer.text}"
        async with matrix.services.database.connection() as connection:
            cursor = await connection.execute(
                "SELECT actor FROM audit_log WHERE request_id = %s", (answer.headers["X-Request-Id"],)
            )
            actors = {row["actor"] for row in await cursor.fetchall()}
        assert "dashapp" not in actors, f"{route} was somebody's"
        if not actors:
            silent.add(route)
    assert silent == set(UNAUDITED)


async def test_a_metrics_description_is_found_by_the_metric(matrix: Matrix) -> None:
    answer = await matrix.call("PUT", f"{_API}/metrics/{{name}}", "", "owner")
    (entry, *_), _ = await matrix.services.users.audit(1, 10, target_id="room.temperature")
    assert (entry.actor, entry.action, entry.target) == ("owner@example.org", "metric.change", "room.temperature")
    assert entry.details == {"changed": ["description", "type", "unit"]}
    assert entry.request_id == answer.headers["X-Request-Id"]
