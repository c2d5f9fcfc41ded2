"""Points in, queries out."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, StringConstraints, TypeAdapter, WithJsonSchema, field_validator, model_validator

from dashapp.contract.base import WHOLE, Model, StorableModel
from dashapp.contract.durations import Step
from dashapp.contract.timerange import EARLIEST_MS, LATEST_MS, MomentUtc, from_ms, to_ms

#: Two values of 1e308 in one bucket make a sum overflow, and one point would then stop every refresh.
LARGEST_VALUE = 1e290
MAX_POINTS_A_REQUEST = 1000
LONGEST_TAG_VALUE = 256
NAME_PATTERN = r"^[a-zA-Z_][a-zA-Z0-9_.:]*$"

MetricName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NAME_PATTERN)]
Aggregation = Literal["avg", "min", "max", "sum", "count"]
MetricType = Literal["gauge", "counter"]
#: What is made of each series before the aggregation: `rate` and `increase` are of counters and know resets, `delta` is
#: the plain change of a gauge.
Function = Literal["rate", "increase", "delta"]
_FUNCTION = (
    "What is made of each series' samples first: `increase` and `rate` (a second) of a counter, aware of resets, or the plain "
    "change, `delta`. The aggregation then works across series."
)


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a tag value holds no NUL and no lone surrogate")
    return text


TagKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NAME_PATTERN)]
TagValue = Annotated[str, StringConstraints(max_length=LONGEST_TAG_VALUE, strict=True)]
_KEY = {"minLength": 1, "maxLength": 255, "pattern": NAME_PATTERN}
_ONE_VALUE = {"type": "string", "maxLength": LONGEST_TAG_VALUE}


def _tags_schema(values: object) -> dict[str, object]:
    """Pydantic lets keys that don't fit pass in its schema."""
    return {"type": "object", "propertyNames": _KEY, "additionalProperties": values, "maxProperties": 32}


Tags = Annotated[dict[TagKey, TagValue], Field(max_length=32), WithJsonSchema(_tags_schema(_ONE_VALUE))]
MOST_TAG_VALUES = 1000


def _filter(value: object) -> str | list[str]:
    """One value, or several of which a series has any: sorted, so that the same question reads the same."""
    given = value if isinstance(value, list) else [value]
    values = [one for one in given if isinstance(one, str)]
    if not 1 <= len(given) <= MOST_TAG_VALUES or len(values) < len(given):
        raise ValueError(f"a tag's filter is text, or a list of 1 to {MOST_TAG_VALUES} texts")
    if any(len(one) > LONGEST_TAG_VALUE for one in values):
        raise ValueError(f"a tag's value has at most {LONGEST_TAG_VALUE} characters")
    for one in values:
        _storable(one)
    distinct = sorted(set(values))
    return distinct[0] if len(distinct) == 1 else distinct


_SEVERAL_VALUES = {"type": "array", "items": _ONE_VALUE, "minItems": 1, "maxItems": MOST_TAG_VALUES}
TagFilter = Annotated[str | list[str], PlainValidator(_filter), WithJsonSchema({"anyOf": [_ONE_VALUE, _SEVERAL_VALUES]})]
#: Which series: those that have each of these tags with the value, or one of the values.
Filters = Annotated[
    dict[TagKey, TagFilter], Field(max_length=32), WithJsonSchema(_tags_schema({"anyOf": [_ONE_VALUE, _SEVERAL_VALUES]}))
]
_FILTERS = "Only series with all of these tags; a list of values means any of them."


class Point(Model):
    """One sample of one series."""

    name: MetricName = Field(description="Metric name, e.g. `cpu.usage`.")
    value: float = Field(ge=-LARGEST_VALUE, le=LARGEST_VALUE, description="A finite number.")
    tags: Tags = Field(default_factory=dict, description="What tells this series from the metric's others.")
    timestamp: Annotated[int, Field(ge=EARLIEST_MS, le=LATEST_MS), WHOLE] | None = Field(
        default=None, description="Unix milliseconds; the server's clock when missing."
    )

    @field_validator("tags")
    @classmethod
    def _tags_are_storable(cls, tags: dict[str, str]) -> dict[str, str]:
        for value in tags.values():
            _storable(value)
        return tags


PointBatch = Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS_A_REQUEST)]
point_batch: TypeAdapter[list[Point]] = TypeAdapter(PointBatch)


class Accepted(Model):
    accepted: int = Field(description="Points committed.")


class MetricInfo(Model):
    """What is known about a metric."""

    name: str
    type: MetricType | None = None
    unit: str | None = None
    description: str | None = None


class MetricUpdate(StorableModel):
    type: MetricType | None = None
    unit: str | None = Field(default=None, max_length=32)
    description: str | None = Field(default=None, max_length=1000)


class Selection(Model):
    """Which samples, and how they become one number a bucket. No range: that is the viewer's."""

    query: MetricName = Field(description="A metric name.")
    aggregation: Aggregation = Field(default="avg", description="How the samples of a bucket become one value.")
    function: Function | None = Field(default=None, description=_FUNCTION)
    tags: Filters = Field(default_factory=dict, description=_FILTERS)
    group_by: list[TagKey] = Field(
        default_factory=list, max_length=8, description="One series of values for each combination of these tags."
    )

    def described(self) -> str:
        """For messages: ``cpu.usage with host=a``."""
        tags = ", ".join(f"{key}={_written(value)}" for key, value in sorted(self.tags.items()))
        return f"{self.query} with {tags}" if tags else self.query

    @property
    def equal(self) -> dict[str, str]:
        """The tags of which one value is asked for."""
        return {key: value for key, value in self.tags.items() if isinstance(value, str)}

    @property
    def among(self) -> dict[str, list[str]]:
        """The tags of which any of several values is asked for."""
        return {key: value for key, value in self.tags.items() if isinstance(value, list)}


def _written(value: str | list[str]) -> str:
    if isinstance(value, str):
        return value
    return " or ".join([*value[:3], *([f"{len(value) - 3} more"] if len(value) > 3 else [])])


class MetricQuery(Selection):
    """The one question of the read path, answered with a `Frame`. ``start`` is inclusive, ``end`` exclusive."""

    start: MomentUtc = Field(description="ISO 8601; UTC where no offset is given.")
    end: MomentUtc = Field(description="ISO 8601; UTC where no offset is given.")
    step: Step | None = Field(default=None, description="Bucket width; follows the range when missing.")
    max_points: Annotated[int, Field(ge=1, le=100_000), WHOLE] = Field(
        default=1000, description="Bounds the points a series when step is missing."
    )

    @model_validator(mode="after")
    def _start_before_end(self) -> MetricQuery:
        if self.start_ms >= self.end_ms:
            raise ValueError("start must be before end")
        return self

    @property
    def start_ms(self) -> int:
        return to_ms(self.start)

    @property
    def end_ms(self) -> int:
        return to_ms(self.end)

    @classmethod
    def over(
        cls, selection: Selection, start_ms: int, end_ms: int, *, step: int | None = None, max_points: int = 1000
    ) -> MetricQuery:
        """`selection` over [start_ms, end_ms), in steps of so many ms."""
        width: Any = None if step is None else timedelta(milliseconds=step)
        return cls(
            query=selection.query, aggregation=selection.aggregation, function=selection.function, tags=selection.tags,
            group_by=selection.group_by, start=from_ms(start_ms), end=from_ms(end_ms), max_points=max_points,
            step=width,
        )  # fmt: skip


class SingleQuery(Model):
    """The body of ``POST /query``."""

    query: MetricName
    start: MomentUtc
    end: MomentUtc
    aggregation: Aggregation = "avg"
    function: Function | None = Field(default=None, description=_FUNCTION)
    step: Step | None = None
    tags: Filters = Field(default_factory=dict, description=_FILTERS)


class BatchItem(MetricQuery):
    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    counts: bool = Field(default=False, description="Whether the answer also says how many samples each bucket has.")


class QueryBatch(Model):
    """The body of ``POST /query/batch``. Each item is judged by itself, so that one bad query fails alone."""

    queries: list[dict[str, object]] = Field(min_length=1, max_length=100)
