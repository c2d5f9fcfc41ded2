"""docs/openapi.json and docs/api.md are what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashapp.api import openapi
from dashapp.api.app import create_api

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return openapi.document(create_api(None))


def test_the_document_in_the_repo_is_the_apps() -> None:
    stored = (DOCS / "openapi.json").read_text(encoding="utf-8")
    assert stored == openapi.text(create_api(None)), "run: python -m dashapp.api.openapi > docs/openapi.json"


async def test_the_app_serves_it_under_its_own_address(client: httpx.AsyncClient) -> None:
    served = (await client.get("/openapi.json")).json()
    assert served == json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    assert served["servers"] == [{"url": "/api/v1"}]


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    for reference in re.findall(r'"#/([^"]+)"', json.dumps(schema)):
        node: Any = schema
        for part in reference.split("/"):
            node = node[part]


def test_only_our_own_failures_are_promised(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert "422" not in operation["responses"], (method, path)
            assert "400" in operation["responses"]
            assert operation["description"], (method, path)
    ids = [operation["operationId"] for operations in schema["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_every_endpoint_is_in_the_reference(schema: dict[str, Any]) -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    named = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[^\s`?]*)", text)}
    served = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)) for path, operations in schema["paths"].items() for method in operations
    } | {("GET", "/openapi.json")}
    assert served - named == set(), "undocumented in docs/api.md"
    assert named - served == set(), "documented in docs/api.md, but not there"
