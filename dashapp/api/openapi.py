"""The OpenAPI document. ``python -m dashapp.api.openapi > docs/openapi.json`` writes the one that the repo keeps."""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from dashapp.api.errors import INTERNAL, Failure, failure
from dashapp.api.examples import BODIES, FAILURES, answers
from dashapp.contract.documents import DashboardDocument
from dashapp.contract.metrics import BatchItem, Point

PREFIX = "/api/v1"
DESCRIPTION = """\
Every success is `{"data": …}`, every failure `{"error", "code", "details"?}`. Programs send
`Authorization: Bearer <token>`; pages sign in with a cookie. No text holds NUL or a lone
surrogate. docs/api.md has examples."""
_FAILURES = {
    "400": "VALIDATION_ERROR: the body or the query string breaks the schema; `details` has one entry per field.",
    "401": "UNAUTHORIZED: no or bad session cookie or token.",
    "403": "FORBIDDEN: signed in, but not allowed; or a change from a page of another origin.",
    "404": "NOT_FOUND: no such thing, or one that you may not know of.",
    "409": "CONFLICT: a stale `version`, or a unique name taken.",
    "413": "PAYLOAD_TOO_LARGE: the body is over the limit.",
    "429": "RATE_LIMITED: with `Retry-After`.",
    "500": "INTERNAL_ERROR: logged under the answer's `X-Request-Id`.",
    "503": "UNAVAILABLE: the database is away; with `Retry-After`.",
}
#: What isn't a `BatchItem` is answered by an error of its own, if only it says under which id.
_ANSWERED = {"type": "object", "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 64}}, "required": ["id"]}
#: Parts of the paths whose changes may meet another's.
_CONFLICTING = ("dashboard", "panel", "alerts", "users", "tokens")
_PUBLIC = {("/auth/login", "post"), ("/auth/logout", "post")}


def _failures(path: str, method: str, takes_body: bool) -> dict[str, Any]:
    codes = {"400", "429", "500", "503"} | ({"413"} if takes_body else set())
    if (path, method) != ("/auth/logout", "post"):
        codes |= {"401", "403"}
    codes |= {"404"} if "{" in path else set()
    codes |= {"409"} if method in ("put", "post") and any(part in path for part in _CONFLICTING) else set()
    codes |= {"409"} if method == "delete" and any(part in path for part in ("/users", "/panels", "/dashboards")) else set()
    return {code: {"$ref": f"#/components/responses/{code}"} for code in sorted(codes)}


def _failed(code: str) -> dict[str, Any]:
    told = failure(FAILURES[code]) if code in FAILURES else {"error": INTERNAL, "code": "INTERNAL_ERROR"}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}, "example": told}}
    return {"description": _FAILURES[code], "content": content}


def _add_examples(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    bodies = operation.get("requestBody", {}).get("content", {})
    if name in BODIES:
        bodies["application/json"]["example"] = BODIES[name]
    for code, answer in operation["responses"].items():
        if code.startswith("2") and name in answers():
            answer["content"]["application/json"]["example"] = answers()[name]
    for content in [bodies, *(answer.get("content", {}) for answer in operation["responses"].values())]:
        if "application/yaml" in content:
            content["application/yaml"]["example"] = BODIES["createDashboard"]


def document(app: FastAPI) -> dict[str, Any]:
    """The document of `app`: FastAPI's, with our failures in place of its own and what it can't see added."""
    described: dict[str, Any] = get_openapi(
        title="dashapp", version="1", description=DESCRIPTION, routes=app.routes, servers=[{"url": PREFIX}]
    )
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    template = "#/components/schemas/{model}"
    models = [(model, "validation") for model in (Point, BatchItem, DashboardDocument, Failure)]
    schemas |= models_json_schema(models, ref_template=template)[1]["$defs"]  # type: ignore[arg-type]
    schemas["QueryBatch"]["properties"]["queries"]["items"] = {"anyOf": [{"$ref": "#/components/schemas/BatchItem"}, _ANSWERED]}
    described["components"]["schemas"] = dict(sorted(schemas.items()))
    described["components"]["responses"] = {code: _failed(code) for code in _FAILURES}
    described["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "dashapp_session"},
    }
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            operation.pop("x-item", None)
            operation["responses"].pop("422", None)
            _add_examples(operation)
            operation["responses"] |= _failures(path, method, "requestBody" in operation)
            if (path, method) not in _PUBLIC:
                operation["security"] = [{"token": []}, {"session": []}]
    return described


def text(app: FastAPI) -> str:
    return json.dumps(document(app), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from dashapp.api.app import create_api

    sys.stdout.write(text(create_api(None)))
