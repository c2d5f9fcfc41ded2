"""Dashboards and panels, as the API, the YAML files and the page share them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from dashapp.contract.base import Model, StorableModel
from dashapp.contract.durations import Step
from dashapp.contract.metrics import Aggregation, Function, MetricName, Selection, TagKey, Tags

GRID_COLUMNS = 12
PanelType = Literal["line", "area", "bar", "gauge", "stat"]
Calculation = Literal["last", "avg", "min", "max", "sum"]
Unit = Literal["", "percent", "bytes", "bytes/s", "seconds", "ms", "short", "ops/s", "count"]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class Position(Model):
    """Where a panel stands on the 12-column grid."""

    x: int = Field(default=0, ge=0, le=11)
    y: int = Field(default=0, ge=0, le=10_000)
    w: int = Field(default=6, ge=1, le=12)
    h: int = Field(default=4, ge=1, le=8)

    @model_validator(mode="after")
    def _fits(self) -> Position:
        if self.x + self.w > GRID_COLUMNS:
            raise ValueError(f"x + w is {self.x + self.w}; the grid has {GRID_COLUMNS} columns")
        return self


class LayoutItem(Position):
    i: UUID = Field(description="The panel's id.")


class Thresholds(Model):
    warning: float | None = None
    critical: float | None = None


class PanelQuery(StorableModel):
    """A further query drawn in the same plot."""

    query: MetricName
    aggregation: Aggregation | None = None
    function: Function | None = Field(default=None, description="`rate` or `increase` of a counter, or the `delta` of a gauge.")
    tags: Tags = Field(default_factory=dict)
    group_by: list[TagKey] = Field(default_factory=list, max_length=8)
    alias: str | None = Field(default=None, max_length=200)


class PanelOptions(StorableModel):
    unit: Unit = Field(default="", description="How values are written on axes, legends and stats.")
    color: Color | None = Field(default=None, description="Colour of the first series; the palette's when missing.")
    show_legend: bool = True
    thresholds: Thresholds = Field(default_factory=Thresholds)
    calculation: Calculation = Field(default="last", description="How a range becomes one number (stat, gauge, bar).")
    min: float | None = Field(default=None, description="Lower end of the axis or gauge.")
    max: float | None = Field(default=None, description="Upper end of the axis or gauge.")
    decimals: int | None = Field(default=None, ge=0, le=6)
    stack: bool = Field(default=False, description="Areas on top of each other.")
    step: Step | None = Field(default=None, description="Bucket width; follows the range when missing.")
    limit: int | None = Field(default=None, ge=1, le=100, description="Only so many series, the largest on average.")
    aggregation: Aggregation | None = None
    function: Function | None = Field(default=None, description="`rate` or `increase` of a counter, or the `delta` of a gauge.")
    tags: Tags = Field(default_factory=dict)
    group_by: list[TagKey] = Field(default_factory=list, max_length=8)
    alias: str | None = Field(default=None, max_length=200, description="Names a series, e.g. `{host} {device}`.")
    queries: list[PanelQuery] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _min_below_max(self) -> PanelOptions:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError("min must be below max")
        return self


class PanelDefinition(StorableModel):
    """What a panel is, without where it is stored."""

    title: Title
    type: PanelType
    query: MetricName
    options: PanelOptions = Field(default_factory=PanelOptions)
    position: Position = Field(default_factory=Position)

    def selections(self) -> list[tuple[Selection, str | None]]:
        """The panel's queries in drawing order, each with its naming template.

        Where nothing else is said, samples are aggregated as the panel's calculation needs them: a maximum over
        the range is the largest maximum of its buckets, never the largest average.
        """
        options = self.options
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


class PanelUpdate(StorableModel):
    title: Title | None = None
    type: PanelType | None = None
    query: MetricName | None = None
    options: PanelOptions | None = None
    position: Position | None = None
    version: int | None = Field(default=None, description="The dashboard's version that this change was made on.")


class Panel(PanelDefinition):
    id: UUID
    dashboard_id: UUID
    error: str | None = Field(
        default=None,
        description="Why the panel can't be drawn as it is stored; the fields at fault then show their defaults.",
    )


class DashboardRequest(StorableModel):
    name: Title
    description: str = Field(default="", max_length=2000)
    is_public: bool = False
    panels: list[PanelDefinition] = Field(default_factory=list, max_length=100)


class DashboardUpdate(StorableModel):
    name: Title | None = None
    description: str | None = Field(default=None, max_length=2000)
    is_public: bool | None = None
    layout: list[LayoutItem] | None = Field(default=None, max_length=100, description="Moves all of these in one transaction.")
    version: int | None = Field(default=None, description="The version that this change was made on; a stale one answers 409.")


class DashboardSummary(Model):
    id: UUID
    name: str
    description: str
    owner_id: UUID
    is_public: bool
    version: int
    panel_count: int
    created_at: datetime
    updated_at: datetime


class Dashboard(Model):
    id: UUID
    name: str
    description: str
    owner_id: UUID
    is_public: bool
    panels: list[Panel]
    layout: list[LayoutItem]
    version: int
    created_at: datetime
    updated_at: datetime
