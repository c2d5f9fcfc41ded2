"""Each body and each answer of the OpenAPI document has an example that its own schema takes, and that is what dashapp answers."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from dashapp.api.app import create_api
from dashapp.api.examples import BODIES, answers
from tests.matrix import Matrix
from tests.recorded import recorded

DOCUMENT = create_api(None).openapi()
#: What is no JSON and no YAML: pages, streams and other programs' formats.
OPAQUE = {"text/html", "application/vnd.apache.arrow.stream", "application/x-protobuf", "text/plain"}
CONTENTS = [
    (f"{operation['operationId']} {part}", kind, content)
    for operations in DOCUMENT["paths"].values()
    for operation in operations.values()
    for part, said in [("body", operation.get("requestBody", {})), *operation["responses"].items()]
    for kind, content in (said if "$ref" not in said else DOCUMENT["components"]["responses"][part]).get("content", {}).items()
    if kind not in OPAQUE
]


@pytest.mark.parametrize(("where", "kind", "content"), CONTENTS, ids=[f"{where} {kind}" for where, kind, _ in CONTENTS])
def test_each_is_what_its_schema_says(where: str, kind: str, content: dict[str, Any]) -> None:
    assert "example" in content, "make one in dashapp/api/examples.py, or record it: make openapi"
    schema = content["schema"] | {"components": DOCUMENT["components"]}
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(content["example"])


def test_none_is_of_an_operation_that_is_gone() -> None:
    known = {operation["operationId"] for operations in DOCUMENT["paths"].values() for operation in operations.values()}
    assert set(BODIES) | set(answers()) <= known


def fields(value: Any, path: str = "") -> set[str]:
    """The paths of all fields."""
    if isinstance(value, dict):
        return {f"{path}.{key}" for key in value} | {one for key, part in value.items() for one in fields(part, f"{path}.{key}")}
    return {one for part in value for one in fields(part, f"{path}[]")} if isinstance(value, list) else set()


async def test_the_recorded_are_what_is_answered(matrix: Matrix) -> None:
    for name, answer in (await recorded(matrix)).items():
        missing = fields(answer) - fields(answers()[name])
        assert not missing, f"{name}: make openapi"
