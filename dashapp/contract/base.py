"""The base of all contract models: camelCase on the wire, snake_case in Python, unknown fields refused, nothing coerced.

A number is no text, a text no number, and neither is true or false: what a client got wrong is told, not guessed. JSON has
no form of its own for ids and times, so these are text there (`Id`, `Instant`), and knows no whole numbers: 5.0 is 5 (`WHOLE`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from dashapp.errors import ValidationFailed

#: A UUID, as text on the wire.
Id = Annotated[UUID, Field(strict=False)]
#: A time that the server says. What a client says is a `dashapp.contract.timerange.Moment`.
Instant = Annotated[datetime, Field(strict=False)]


#: For text that is stripped and may not be empty then: what the schema has to say of it.
NOT_BLANK = Field(json_schema_extra={"pattern": r"[^\s\x85]"})


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: Makes an int a whole number however it is written; bounds stand before it.
WHOLE = BeforeValidator(_whole)
Whole = Annotated[int, WHOLE]


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", allow_inf_nan=False, strict=True)

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
