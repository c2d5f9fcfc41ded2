"""True answers of the API for the OpenAPI document: ``python -m tests.recorded`` asks a whole dashapp each operation's example,
and writes what came back into dashapp/api/answers.json, with ids, times and secrets that are always the same."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from tests.matrix import Matrix, matrix_on

FILE = Path(__file__).parents[1] / "dashapp" / "api" / "answers.json"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SECRET = re.compile(r"(dashapp_|/p/|token=)[\w-]{20,}")
_NUMBERED = re.compile(r"(somebody|fresh)\d+@")
#: Entries of a list that show what the others are like.
_MOST = 2


class _Still:
    """What differs from one recording to the next, made the same."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def of(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self.of(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [self.of(one) for one in value[:_MOST]]
        if isinstance(value, str):
            return self._text(value, name)
        return 1 if name in ("total", "dashboards", "tokens") and not isinstance(value, bool) else 42 if name == "id" else value

    def _text(self, text: str, name: str) -> str:
        if name == "requestId":
            return "9f86d081884c7d65"
        text = _UUID.sub(lambda id_: self._ids.setdefault(id_[0], f"00000000-0000-4000-8000-{len(self._ids) + 1:012}"), text)
        text = _TIME.sub(lambda at: at[0] if at[0].startswith(("9999", "2036")) else "2026-11-01T12:00:00Z", text)
        text = _SECRET.sub(lambda secret: f"{secret[1]}0123456789abcdefghijABCDEFGHIJ", text)
        return _NUMBERED.sub("grace@", text)


async def recorded(matrix: Matrix) -> dict[str, Any]:
    """The answer of each operation that answers JSON, by its id."""
    answers = {}
    for (method, path), operation in sorted(matrix.operations.items(), key=lambda one: one[1]["operationId"]):
        told = [answer for code, answer in operation["responses"].items() if code.startswith("2")]
        if not any("application/json" in answer.get("content", {}) for answer in told):
            continue
        kind = "private" if "{dashboard_id}" in path or "{panel_id}" in path else ""
        actor = "anonymous" if path.endswith("/login") else "admin" if re.search("/users|/audit", path) else "owner"
        answer = await matrix.call(method, path, kind, actor)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        answers[operation["operationId"]] = _Still().of(answer.json())
    return answers


async def _write() -> None:
    with tempfile.TemporaryDirectory(prefix="dashapp-recorded-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory))
        server.start()
        migrate(server.url)
        async with matrix_on(server.url, Path(directory)) as matrix:
            FILE.write_text(json.dumps(await recorded(matrix), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        server.stop()


if __name__ == "__main__":
    asyncio.run(_write())
