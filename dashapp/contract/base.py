"""The base of all contract models: camelCase on the wire, snake_case in Python, unknown fields refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from dashapp.errors import ValidationFailed


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", allow_inf_nan=False)

    def wire(self) -> dict[str, Any]:
        """This model as JSON-ready camelCase, without what is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _check_storable(value: object) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("text holds no NUL and no lone surrogate")
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_storable(part)


def storable(value: str | None) -> str | None:
    """
    Raises:
        ValueError: it is text that the database doesn't take.
    """
    _check_storable(value)
    return value


class StorableModel(Model):
    """A model whose texts all go into the database, which takes no NUL and no lone surrogate."""

    @field_validator("*", mode="after")
    @classmethod
    def _texts_are_storable(cls, value: Any) -> Any:
        _check_storable(value)
        return value


def field_path(location: Iterable[int | str]) -> str:
    return ".".join(str(part) for part in location)


def validation_failed(errors: Iterable[Mapping[str, Any]], *, prefix: str = "") -> ValidationFailed:
    """Pydantic's errors as one `ValidationFailed`: the first in the sentence, all of them in `details`."""
    details: dict[str, str] = {}
    for error in errors:
        path = field_path([*([prefix] if prefix else []), *error["loc"]]) or "body"
        message = str(error["msg"]).removeprefix("Value error, ")
        details.setdefault(path, message)
    first, message = next(iter(details.items()), ("body", "invalid"))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return ValidationFailed(f"{first}: {message}{more}.".replace("..", "."), details=details)


def from_pydantic(error: ValidationError, *, prefix: str = "") -> ValidationFailed:
    return validation_failed(error.errors(include_url=False, include_context=False, include_input=False), prefix=prefix)
