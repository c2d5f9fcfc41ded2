"""The OpenAPI document says what the models refuse: a number in place of a text and the like, at every place of every body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter, ValidationError

from dashapp.api import queries
from dashapp.api.app import ROUTERS, create_api
from dashapp.api.body import PublicRoute
from dashapp.api.examples import BODIES
from dashapp.contract.metrics import point_batch
from dashapp.errors import ValidationFailed

#: One of each kind of JSON value, and what is easily taken for another.
VALUES: list[Any] = [
    None, True, False, 0, 1, 7, -1, 1.0, 0.5, 1e300, 10**30, "", " ", "1", "0", "1.5", "true", "null", "yes", "now", "5m", "0s",
    "2026-11-01", "1793491200", [], [None], ["a"], ["1", "1"], {}, {"a": "1"}, {"1": "1"}, {"a": 1},
]  # fmt: skip


#: A schema doesn't add: `x + w` is at most 12.
UNSAID = ((("x",), 7), (("w",), 7))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], fresh: Any) -> Any:
    if not path:
        return fresh
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], fresh)
    return copy


DOCUMENT = create_api(None).openapi()
OPERATIONS = {
    (path, method): operation for path, operations in DOCUMENT["paths"].items() for method, operation in operations.items()
}
SCHEMAS = {
    operation["operationId"]: operation["requestBody"]["content"]["application/json"]["schema"]
    for operation in OPERATIONS.values()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
}
MODELS: dict[str, TypeAdapter[Any]] = {"sendPoints": point_batch} | {
    OPERATIONS[route.path_format, method.lower()]["operationId"]: TypeAdapter(route.body_field.field_info.annotation)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, PublicRoute) and route.body_field
    for method in route.methods
}


def _accepts(operation: str, body: Any) -> bool:
    try:
        read = MODELS[operation].validate_python(body)
        if operation == "queryBatch":
            queries._ids(read.queries)
    except (ValidationError, ValidationFailed):
        return False
    return True


def test_every_operation_is_tried() -> None:
    assert set(MODELS) == set(SCHEMAS) <= set(BODIES)


@pytest.mark.parametrize("operation", sorted(MODELS))
def test_the_document_says_what_is_refused(operation: str) -> None:
    schema = SCHEMAS[operation] | {"components": DOCUMENT["components"]}
    described = jsonschema_rs.validator_for(schema, validate_formats=True)
    wrong = [
        (".".join(map(str, path)), value, "is accepted" if accepted else "is refused")
        for path in places(BODIES[operation])
        for value in VALUES
        for body in [replaced(BODIES[operation], path, value)]
        for accepted in [_accepts(operation, body)]
        if accepted != described.is_valid(body) and (path[-1:], value) not in UNSAID
    ]
    assert wrong == []
