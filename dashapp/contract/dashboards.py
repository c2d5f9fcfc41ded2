"""Dashboards and panels, as the API, the YAML files and the page share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from dashapp.contract.alerts import ActiveState, AlertOrder, Severity
from dashapp.contract.base import NOT_BLANK, WHOLE, Id, Instant, Model, StorableModel, Whole
from dashapp.contract.durations import Step
from dashapp.contract.metrics import NAME_PATTERN, Aggregation, Filters, Function, MetricName, Selection, TagKey
from dashapp.contract.variables import MOST_VARIABLES, Variable, check_names

GRID_COLUMNS = 12
PanelType = Literal["line", "area", "bar", "gauge", "stat", "table", "heatmap", "text", "alerts"]
#: Types that ask for no metric.
UNASKING: frozenset[PanelType] = frozenset({"text", "alerts"})
Calculation = Literal["last", "avg", "min", "max", "sum"]
LegendFigure = Literal["last", "min", "avg", "max", "sum"]
ThresholdStyle = Literal["line", "band", "off"]
NullHandling = Literal["gap", "connect", "zero"]
Unit = Literal[
    "", "short", "count", "percent", "ratio", "bytes", "bytes/s", "bytesSI", "bytesSI/s", "bits/s", "seconds", "ms", "ops/s",
]  # fmt: skip
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), NOT_BLANK]
#: A metric's name, or nothing.
PanelMetric = Annotated[str, StringConstraints(max_length=255, pattern=NAME_PATTERN.replace("^", "^(").replace("$", ")?$"))]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


@dataclass(frozen=True)
class Shown:
    """How a form shows a field. What the field takes is the model's own affair, so that form, API and files agree."""

    label: str
    #: The heading it stands under.
    group: str = ""
    #: What choices are called, where their values don't say it.
    choices: Mapping[str, str] = field(default_factory=dict)
    #: What stands in an empty field: what happens without a value.
    empty: str = ""
    #: The control, where the type alone doesn't say it.
    kind: str = ""


class Position(Model):
    """Where a panel stands on the 12-column grid."""

    x: Annotated[int, Field(ge=0, le=11), WHOLE] = 0
    y: Annotated[int, Field(ge=0, le=10_000), WHOLE] = 0
    w: Annotated[int, Field(ge=1, le=12), WHOLE] = 6
    h: Annotated[int, Field(ge=1, le=8), WHOLE] = 4

    @model_validator(mode="after")
    def _fits(self) -> Position:
        if self.x + self.w > GRID_COLUMNS:
            raise ValueError(f"x + w is {self.x + self.w}; the grid has {GRID_COLUMNS} columns")
        return self


class LayoutItem(Position):
    i: Id = Field(description="The panel's id.")


class Thresholds(Model):
    warning: Annotated[float | None, Shown("Warning from", "Thresholds", empty="none")] = None
    critical: Annotated[float | None, Shown("Critical from", "Thresholds", empty="none")] = None


_AGGREGATION = Shown("Samples become", choices={"avg": "average", "min": "minimum", "max": "maximum"}, empty="as the panel needs")
_FUNCTION = Shown("Function", empty="none")
_FUNCTION_HELP = "`rate` or `increase` of a counter, or the `delta` of a gauge."
_TAGS = Shown("Only where", kind="tags")
_GROUP_BY = Shown("One series for each", kind="tagKeys")
_ALIAS = Shown("Names of the series", empty="e.g. {host} {device}")


class PanelQuery(StorableModel):
    """A further query drawn in the same plot."""

    query: Annotated[MetricName, Shown("Metric", kind="metric")]
    aggregation: Annotated[Aggregation | None, _AGGREGATION] = None
    function: Annotated[Function | None, _FUNCTION] = Field(default=None, description=_FUNCTION_HELP)
    tags: Annotated[Filters, _TAGS] = Field(default_factory=dict)
    group_by: Annotated[list[TagKey], _GROUP_BY] = Field(default_factory=list, max_length=8)
    alias: Annotated[str | None, _ALIAS] = Field(default=None, max_length=200)


_UNITS = {
    "": "plain number", "short": "short (1.2 k)", "count": "whole number", "percent": "percent (0–100)",
    "ratio": "percent of a ratio (0–1)", "bytes": "bytes (KiB, MiB)", "bytes/s": "bytes per second (KiB/s)",
    "bytesSI": "bytes (kB, MB)", "bytesSI/s": "bytes per second (kB/s)", "bits/s": "bits per second (Mbit/s)",
    "seconds": "seconds", "ms": "milliseconds", "ops/s": "operations per second",
}  # fmt: skip


class PanelOptions(StorableModel):
    content: Annotated[str, Shown("Markdown", "Text", kind="area")] = Field(
        default="", max_length=10_000, description="What a text panel says, in Markdown."
    )
    alert_states: Annotated[list[ActiveState], Shown("In these states", "Alerts", {"nodata": "no data"})] = Field(
        default=["firing", "pending"], max_length=5, description="The states of alerts that a list of alerts shows."
    )
    severities: Annotated[list[Severity], Shown("Of these severities", "Alerts")] = Field(
        default=["critical", "warning", "info"], max_length=3, description="The severities of alerts that a list of alerts shows."
    )
    matching: Annotated[str, Shown("With these words", "Alerts", empty="in rule, metric or tags")] = Field(
        default="", max_length=200, description="A list of alerts shows those with all these words in rule, metric or tags."
    )
    alert_order: Annotated[
        AlertOrder,
        Shown("Sorted by", "Alerts", {"urgency": "urgency", "newest": "time, newest first", "oldest": "time, oldest first"}),
    ] = Field(default="urgency", description="The order of a list of alerts.")
    unit: Annotated[Unit, Shown("Unit", "Values", _UNITS)] = Field(
        default="", description="How values are written on axes, legends and stats."
    )
    decimals: Annotated[Annotated[int, Field(ge=0, le=6), WHOLE] | None, Shown("Decimals", "Values", empty="as it reads best")] = (
        None
    )
    calculation: Annotated[
        Calculation,
        Shown("Show the", "Values", {"last": "last value", "avg": "average", "min": "minimum", "max": "maximum"}),
    ] = Field(default="last", description="How a range becomes one number (stat, gauge, bar).")
    min: Annotated[float | None, Shown("Lowest", "Axis", empty="follows the values")] = Field(
        default=None, description="Lower end of the axis or gauge."
    )
    max: Annotated[float | None, Shown("Highest", "Axis", empty="follows the values")] = Field(
        default=None, description="Upper end of the axis or gauge."
    )
    color: Annotated[Color | None, Shown("Colour", "Drawing", kind="color")] = Field(
        default=None, description="Colour of the first series; the palette's when missing."
    )
    stack: Annotated[bool, Shown("Stacked", "Drawing")] = Field(default=False, description="Series on top of each other.")
    null_handling: Annotated[
        NullHandling, Shown("Where samples are missing", "Drawing", {"gap": "a gap", "connect": "a line across", "zero": "zero"})
    ] = Field(default="gap", description="What is drawn where nobody measured.")
    limit: Annotated[
        Annotated[int, Field(ge=1, le=100), WHOLE] | None, Shown("At most so many", "Drawing", empty="as many as read well")
    ] = Field(default=None, description="Only so many series, the largest on average; or so many alerts.")
    thresholds: Thresholds = Field(default_factory=Thresholds)
    threshold_style: Annotated[
        ThresholdStyle, Shown("Drawn as", "Thresholds", {"line": "a line", "band": "a band", "off": "nothing"})
    ] = Field(default="line", description="How thresholds are drawn into plots over time.")
    show_legend: Annotated[bool, Shown("Table under the plot", "Legend")] = True
    legend: Annotated[list[LegendFigure], Shown("Figures", "Legend")] = Field(
        default=["last", "avg", "max"], max_length=5, description="The figures of the legend's table."
    )
    step: Annotated[Step | None, Shown("Bucket width", "Samples", empty="follows the range", kind="text")] = Field(
        default=None, description="Bucket width; follows the range when missing."
    )
    aggregation: Annotated[Aggregation | None, _AGGREGATION] = None
    function: Annotated[Function | None, _FUNCTION] = Field(default=None, description=_FUNCTION_HELP)
    tags: Annotated[Filters, _TAGS] = Field(default_factory=dict)
    group_by: Annotated[list[TagKey], _GROUP_BY] = Field(default_factory=list, max_length=8)
    alias: Annotated[str | None, _ALIAS] = Field(
        default=None, max_length=200, description="Names a series, e.g. `{host} {device}`."
    )
    queries: list[PanelQuery] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _min_below_max(self) -> PanelOptions:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError("min must be below max")
        return self


_ASKING: list[Any] = [
    {"properties": {"type": {"enum": sorted(UNASKING)}}},
    {"properties": {"query": {"minLength": 1}}, "required": ["query"]},
]


class PanelDefinition(StorableModel):
    """What a panel is, without where it is stored."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _ASKING})

    title: Title
    type: PanelType
    query: PanelMetric = Field(
        default="", validate_default=True, description="A metric name; panels of alerts and of text have none."
    )
    options: PanelOptions = Field(default_factory=PanelOptions)
    position: Position = Field(default_factory=Position)

    @field_validator("query")
    @classmethod
    def _asks_for_something(cls, query: str, info: ValidationInfo) -> str:
        if not query and "type" in info.data and info.data["type"] not in UNASKING:
            raise ValueError(f"a panel of type {info.data['type']} asks for a metric")
        return query

    def selections(self) -> list[tuple[Selection, str | None]]:
        """The panel's queries in drawing order, each with its naming template.

        Where nothing else is said, samples are aggregated as the panel's calculation needs them: a maximum over
        the range is the largest maximum of its buckets, never the largest average.
        """
        options = self.options
        if self.type in UNASKING:
            return []
        natural: Aggregation = options.calculation if options.calculation in ("min", "max", "sum") else "avg"
        first = PanelQuery(
            query=self.query, aggregation=options.aggregation, function=options.function, tags=options.tags,
            group_by=options.group_by, alias=options.alias,
        )  # fmt: skip
        return [
            (
                Selection(
                    query=q.query, aggregation=q.aggregation or natural, function=q.function, tags=q.tags, group_by=q.group_by
                ),
                q.alias,
            )
            for q in (first, *options.queries)
        ]


class Choice(Model):
    """One of a field's values."""

    value: str
    label: str


class FormField(Model):
    """How a form shows one field of a panel's options. Made from the models above, which also judge what is sent."""

    name: str = Field(description="The option's name; `thresholds.warning` for a part of one.")
    label: str
    group: str = Field(description="The heading it stands under.")
    kind: Literal["choice", "choices", "number", "integer", "text", "switch", "color", "tags", "tagKeys", "metric", "area"]
    help: str = ""
    choices: list[Choice] = Field(default_factory=list)
    default: bool | float | str | list[str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    empty: str = Field(default="", description="What stands in an empty field: what happens without a value.")


class PanelTypeInfo(Model):
    """A type of panel, for the gallery."""

    type: PanelType
    label: str
    about: str
    sketch: str = Field(description="The path of a small SVG picture, 48 by 28.")
    filled: bool = Field(default=False, description="Whether the picture's path is an area.")
    asks: bool = Field(default=True, description="Whether it asks for a metric.")
    options: list[str] = Field(description="The options that it heeds.")
    position: Position = Field(description="Where and how large a new one is; only w and h count.")


class PanelTypes(Model):
    """What an editor needs to know to offer every type of panel with its options."""

    types: list[PanelTypeInfo]
    options: list[FormField]
    query: list[FormField] = Field(description="The fields of each of a panel's queries.")


class PanelUpdate(StorableModel):
    title: Title | None = None
    type: PanelType | None = None
    query: PanelMetric | None = None
    options: PanelOptions | None = None
    position: Position | None = None
    version: Whole | None = Field(default=None, description="The dashboard's version that this change was made on.")


class Panel(PanelDefinition):
    id: Id
    dashboard_id: Id
    error: str | None = Field(
        default=None,
        description="Why the panel can't be drawn as it is stored; the fields at fault then show their defaults.",
    )


def _distinct(variables: list[Variable]) -> list[Variable]:
    check_names(variables)
    return variables


Variables = Annotated[list[Variable], Field(max_length=MOST_VARIABLES), AfterValidator(_distinct)]
_VARIABLES = "What readers choose, and panels ask for as `$name`."


class DashboardRequest(StorableModel):
    name: Title
    description: str = Field(default="", max_length=2000)
    is_public: bool = False
    variables: Variables = Field(default_factory=list, description=_VARIABLES)
    panels: list[PanelDefinition] = Field(default_factory=list, max_length=100)


class DashboardUpdate(StorableModel):
    name: Title | None = None
    description: str | None = Field(default=None, max_length=2000)
    is_public: bool | None = None
    variables: Variables | None = Field(default=None, description=f"{_VARIABLES} Replaces all.")
    layout: list[LayoutItem] | None = Field(default=None, max_length=100, description="Moves all of these in one transaction.")
    version: Whole | None = Field(default=None, description="The version that this change was made on; a stale one answers 409.")


class PublicLink(Model):
    """A link that shows a dashboard to everybody who has it."""

    path: str = Field(description="On this server; the token in it is random.")
    created_at: Instant


class DashboardSummary(Model):
    id: Id
    name: str
    description: str
    owner_id: Id
    is_public: bool
    version: Whole
    panel_count: int
    created_at: Instant
    updated_at: Instant


class Dashboard(Model):
    id: Id
    name: str
    description: str
    owner_id: Id
    is_public: bool
    variables: list[Variable] = Field(default_factory=list, description=_VARIABLES)
    panels: list[Panel]
    layout: list[LayoutItem]
    version: Whole
    created_at: Instant
    updated_at: Instant
