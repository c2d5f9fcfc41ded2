"""Scheduled reports: a dashboard's snapshot, sent by mail and kept in a folder at set times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema, core_schema

from dashapp.contract.alerts import EMAIL, MOST_ADDRESSES
from dashapp.contract.base import WHOLE, Id, Instant, Model, StorableModel
from dashapp.contract.metrics import LONGEST_TAG_VALUE, TagValue
from dashapp.contract.variables import MOST_CHOSEN, MOST_VARIABLES, VariableName

MOST_REPORTS = 20
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class _Form:
    """Text of a pattern, which the schema has and no reader is shown."""

    pattern: str
    what: str
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self.pattern})$", "examples": [self.example]}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"{text[:100]!r} is no {self.what}; write it like {self.example}")
        return text


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{name!r} is no time zone that is known here; write UTC, or a place such as Europe/Berlin") from None
    return name


Zone = Annotated[
    str,
    _Form(r"UTC|[A-Z][A-Za-z_]{1,30}(/[A-Z][A-Za-z0-9_+-]{0,30}){1,2}", "time zone", "Europe/Berlin"),
    AfterValidator(_known_zone),
]
Address = Annotated[str, _Form(EMAIL, "e-mail address", "ada@example.org")]
#: How long before it is made a report starts, in the words of a link's range; at most 27 years.
Start = Annotated[str, _Form(r"now-([1-9][0-9]{0,3}[mhd]|[1-9][0-9]{0,2}w)", "start of a report", "now-7d")]
#: The name of one folder: no way leads out of where it lies.
Folder = Annotated[str, _Form(r"[A-Za-z0-9_]([A-Za-z0-9_. -]{0,98}[A-Za-z0-9_])?", "name of a folder", "weekly")]
TimeOfDay = Annotated[str, _Form(r"([01][0-9]|2[0-3]):[0-5][0-9]", "time of day", "08:00")]
_VALUES = {"type": "array", "items": {"type": "string", "maxLength": LONGEST_TAG_VALUE}, "maxItems": MOST_CHOSEN}
ChosenValues = Annotated[
    dict[VariableName, Annotated[list[TagValue], Field(max_length=MOST_CHOSEN)]],
    Field(max_length=MOST_VARIABLES),
    WithJsonSchema(
        {
            "type": "object", "maxProperties": MOST_VARIABLES, "additionalProperties": _VALUES,
            "propertyNames": {"minLength": 1, "maxLength": 50, "pattern": r"^[a-zA-Z_][a-zA-Z0-9_]*$"},
        }
    ),
]  # fmt: skip


class Schedule(Model):
    """When: once a day, a week or a month, at a time of day somewhere."""

    every: Literal["day", "week", "month"]
    weekday: Weekday = Field(default="mon", description="Of each week.")
    day: Annotated[int, Field(ge=1, le=28), WHOLE] = Field(default=1, description="Of each month; every month has these.")
    at: TimeOfDay = Field(default="08:00", description="Time of day, hours and minutes.")
    zone: Zone = Field(default="UTC", description="Time zone that it is read in, such as `Europe/Berlin`.")

    def in_words(self) -> str:
        match self.every:
            case "week":
                days = f"every {_DAYS[WEEKDAYS.index(self.weekday)]}"
            case "month":
                days = f"every month on day {self.day}"
            case _:
                days = "every day"
        return f"{days} at {self.at} ({self.zone})"


_REACHES_SOMEBODY: list[Any] = [
    {"properties": {"emails": {"minItems": 1}}, "required": ["emails"]},
    {"properties": {"folder": {"type": "string"}}, "required": ["folder"]},
]
_EMAILS = "Who gets the file by mail."
_FOLDER = "Where the files are kept, below the server's folder of reports; admins only."
_KEEP = "So many of the files are kept, the newest."
_START = "Where the range starts; it ends when the file is made."
_VARIABLES = "Values of the dashboard's variables, as its link chooses them."
Emails = Annotated[list[Address], Field(max_length=MOST_ADDRESSES)]
Keep = Annotated[int, Field(ge=1, le=1000), WHOLE]


class ReportRequest(StorableModel):
    model_config = ConfigDict(json_schema_extra={"anyOf": _REACHES_SOMEBODY})

    schedule: Schedule
    start: Start = Field(default="now-7d", description=_START)
    variables: ChosenValues = Field(default_factory=dict, description=_VARIABLES)
    emails: Emails = Field(default_factory=list, description=_EMAILS)
    folder: Folder | None = Field(default=None, description=_FOLDER)
    keep: Keep = Field(default=30, description=_KEEP)
    paused: bool = False

    @model_validator(mode="after")
    def _reaches_somebody(self) -> ReportRequest:
        if not self.emails and self.folder is None:
            raise ValueError("a report goes to e-mail addresses (emails), a folder, or both")
        return self


class ReportUpdate(StorableModel):
    """What is given changes; an explicit null takes the folder away."""

    schedule: Schedule | None = None
    start: Start | None = Field(default=None, description=_START)
    variables: ChosenValues | None = Field(default=None, description=_VARIABLES)
    emails: Emails | None = Field(default=None, description=_EMAILS)
    folder: Folder | None = Field(default=None, description=_FOLDER)
    keep: Keep | None = Field(default=None, description=_KEEP)
    paused: bool | None = None

    def given(self) -> dict[str, Any]:
        """What it changes."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in values.items() if value is not None or name == "folder"}


class Report(Model):
    """A dashboard's snapshot at set times, and how the last one went."""

    id: Id
    dashboard_id: Id
    owner_id: Id | None = Field(default=None, description="It shows what this user may see: who made it or changed it last.")
    owner: str | None = Field(default=None, description="The same as an e-mail.")
    schedule: Schedule
    when: str = Field(description="The schedule in words.")
    start: str
    variables: dict[str, list[str]]
    emails: list[str]
    folder: str | None = None
    keep: int
    paused: bool
    next_at: Instant | None = Field(default=None, description="When it is due next; null while it is paused.")
    last_at: Instant | None = Field(default=None, description="When it was last delivered.")
    error: str | None = Field(default=None, description="Why the newest attempt delivered nothing.")
    error_at: Instant | None = None
    retry_at: Instant | None = Field(default=None, description="When a delivery that failed is tried again.")
    created_at: Instant
    updated_at: Instant
