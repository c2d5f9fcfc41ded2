"""Alert rules, what became of them, silences and backtests, as the API, the page and the engine share them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from dashapp.contract.base import NOT_BLANK, WHOLE, Id, Instant, Model, StorableModel, Whole
from dashapp.contract.durations import UNITS_MS, WHOLE_SECONDS, Step, parse_ms, text_of
from dashapp.contract.metrics import Aggregation, Function, MetricName, Selection, TagKey, Tags
from dashapp.contract.timerange import Moment, to_ms

Condition = Literal["gt", "gte", "lt", "lte", "eq", "ne"]
Severity = Literal["info", "warning", "critical"]
NoData = Literal["keep", "ok", "alert"]
ChannelType = Literal["email", "webhook", "apprise"]
#: What an instance is shown as. `nodata`: ok as far as it is known, but nothing is known just now.
InstanceState = Literal["ok", "pending", "firing", "nodata"]
#: What a list of alerts shows; `resolved` for a day.
ActiveState = Literal["firing", "pending", "error", "nodata", "resolved"]
AlertOrder = Literal["urgency", "newest", "oldest", "name"]
#: What a rule is shown as: the most urgent of its instances; `error` where it couldn't be judged, `disabled` where it isn't.
RuleState = Literal["ok", "pending", "firing", "nodata", "error", "disabled"]
Status = Literal["firing", "resolved"]
#: Why an event came about, where it isn't the value itself.
Reason = Literal["nodata", "gone", "changed", "disabled", "deleted"]
DeliveryState = Literal["pending", "muted", "sent", "dropped", "dead"]

#: Values that differ by no more than this are equal, for `eq` and `ne`.
TOLERANCE = 1e-4
DEFAULT_STEP_MS = 10_000
LONGEST_STEP_MS = UNITS_MS["d"]
LONGEST_DURATION_MS = 366 * UNITS_MS["d"]
MOST_INSTANCES = 1_000

_WORDS = (("day", UNITS_MS["d"]), ("hour", UNITS_MS["h"]), ("minute", UNITS_MS["m"]), ("second", UNITS_MS["s"]))
_NOTHING = re.compile(r"^\s*0+\s*(s|m|h|d|w|(sec|second|min|minute|hour|day|week)s?)?\s*$")


def in_words(ms: int) -> str:
    """A duration as the contract writes it: ``5 minutes``, ``1 hour``, ``90 seconds``."""
    for word, width in _WORDS:
        if ms >= width and ms % width == 0:
            return f"{ms // width} {word}{'' if ms == width else 's'}"
    return "0 seconds"


def _held(value: object) -> int:
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    text = text_of(value, "5 minutes, 90s or 1 hour")
    if _NOTHING.match(text.lower()):
        return 0
    ms = parse_ms(text)
    if ms % 1000 or ms > LONGEST_DURATION_MS:
        raise ValueError(f"{value!r} is no duration of a rule; take whole seconds up to 366 days")
    return ms


#: How long a condition has to hold: text on the wire, whole milliseconds in Python, made of a timedelta there. Zero fires at once.
HoldDuration = Annotated[
    int,
    BeforeValidator(_held),
    PlainSerializer(in_words, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": rf"{WHOLE_SECONDS}|{_NOTHING.pattern}", "examples": ["5 minutes", "1 hour", "90s", "0s"]}
    ),
]
RuleName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), NOT_BLANK]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]

_PART = r"[^@\s,;<>\x00-\x20\x7f-\xa0]"
#: An address that mails go to, alone in its text.
EMAIL = rf"{_PART}{{1,64}}@{_PART}{{1,189}}"
MOST_ADDRESSES = 20
_APPRISE = r"^\s*[a-zA-Z][a-zA-Z0-9+.-]{0,30}://\S+\s*$"
_WORD = rf"\s*{_PART}+@{_PART}+\s*"
#: What the schema says of a target by its type: a pattern neither counts addresses nor reads URLs.
_BY_TYPE: list[Any] = [
    {"properties": {"type": {"const": kind}, "target": {"pattern": pattern}}}
    for kind, pattern in (("email", f"^{_WORD}(,{_WORD})*$"), ("webhook", r"^\s*https?://"), ("apprise", _APPRISE))
]


def _check_emails(target: str) -> None:
    addresses = [part.strip() for part in target.split(",")]
    if len(addresses) > MOST_ADDRESSES:
        raise ValueError(f"at most {MOST_ADDRESSES} addresses, separated by commas")
    for address in addresses:
        if not re.fullmatch(EMAIL, address):
            raise ValueError(f"{address!r} is no e-mail address; write name@example.org, several separated by commas")


def _check_url(target: str) -> None:
    try:
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the URL can't be read ({error})") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("a webhook's URL starts with https:// or http://")
    if not host:
        raise ValueError("the webhook's URL has no host; write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a webhook's URL carries no user and no password; use a secret path")


def _check_apprise(target: str) -> None:
    if not re.match(_APPRISE, target):
        raise ValueError("an Apprise URL is like slack://…, tgram://… or pagerduty://…")


class Notification(StorableModel):
    """Where a rule's events go."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _BY_TYPE})

    type: ChannelType
    target: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] = Field(
        description="E-mail addresses separated by commas, a webhook's URL, or an Apprise URL."
    )

    @field_validator("target")
    @classmethod
    def _fits_type(cls, target: str, info: ValidationInfo) -> str:
        if any(ord(character) < 32 or character == "\x7f" for character in target):
            raise ValueError("a target holds no control characters")
        kind = info.data.get("type")
        if kind == "email":
            _check_emails(target)
        elif kind == "webhook":
            _check_url(target)
        elif kind == "apprise":
            _check_apprise(target)
        return target


def _check_step(step: int | None) -> int | None:
    if step is not None and (step < 1000 or step % 1000 or step > LONGEST_STEP_MS):
        raise ValueError("a rule's step is whole seconds from 1s to 1d")
    return step


class RuleDefinition(StorableModel):
    """What a rule watches, when it fires and whom it tells."""

    name: RuleName
    query: MetricName = Field(description="A metric name. One that has no samples yet is allowed and shown as `nodata`.")
    aggregation: Aggregation = Field(default="avg", description="How the samples of a bucket become one value.")
    function: Function | None = Field(default=None, description="Applied to each series before the aggregation.")
    tags: Tags = Field(default_factory=dict, description="Only series with all of these tags.")
    group_by: list[TagKey] = Field(
        default_factory=list, max_length=8, description="One instance for each combination of these tags; else one in all."
    )
    step: Step = Field(default=DEFAULT_STEP_MS, description="Bucket width of the value that is judged, 1s to 1d.")
    condition: Condition = Field(description="How the value is compared; `eq` and `ne` with a tolerance of 1e-4.")
    threshold: float
    duration: HoldDuration = Field(default=0, description="How long the condition has to hold; zero fires at once.")
    no_data: NoData = Field(default="keep", description="What no value means: state as it was, `ok`, or condition holds.")
    severity: Severity = "warning"
    enabled: bool = True
    notification: Notification | None = Field(default=None, description="Nobody is told where this is missing.")

    _step_of_a_rule = field_validator("step")(_check_step)

    @property
    def selection(self) -> Selection:
        """What it asks for."""
        return Selection.model_validate({name: getattr(self, name) for name in Selection.model_fields})

    def sentence(self) -> str:
        """The condition for people: ``avg of cpu.usage > 90 for 5 minutes``."""
        what = f"{self.function} of {self.query}" if self.function else f"{self.aggregation} of {self.query}"
        signs = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "eq": "=", "ne": "≠"}
        held = f" for {in_words(self.duration)}" if self.duration else ""
        return f"{what} {signs[self.condition]} {self.threshold:g}{held}"


#: Fields whose change makes it another rule: what fires is resolved, and judging starts anew.
JUDGED_FIELDS = ("query", "condition", "threshold", "tags", "group_by", "aggregation", "function", "step")


class RuleUpdate(StorableModel):
    """What is given changes; ``notification: null`` and ``function: null`` clear."""

    name: RuleName | None = None
    query: MetricName | None = None
    aggregation: Aggregation | None = None
    function: Function | None = None
    tags: Tags | None = None
    group_by: list[TagKey] | None = Field(default=None, max_length=8)
    step: Step | None = None
    condition: Condition | None = None
    threshold: float | None = None
    duration: HoldDuration | None = None
    no_data: NoData | None = None
    severity: Severity | None = None
    enabled: bool | None = None
    notification: Notification | None = None
    version: Whole | None = Field(default=None, description="The version that this change was made on; a stale one answers 409.")

    _step_of_a_rule = field_validator("step")(_check_step)

    def given(self) -> dict[str, Any]:
        """Field to new value, of those that the body names."""
        nullable = {"function", "notification"}
        named = {name: getattr(self, name) for name in self.model_fields_set if name != "version"}
        return {name: value for name, value in named.items() if value is not None or name in nullable}


class Instance(Model):
    """One series of a rule and how it stands."""

    tags: dict[str, str]
    state: InstanceState
    since: Instant | None = Field(default=None, description="Since when it is in this state.")
    pending_since: Instant | None = Field(default=None, description="Since when the condition has held, frozen time left out.")
    no_data: bool = Field(default=False, description="No value just now; state and clock stand still meanwhile, with `keep`.")
    value: float | None = Field(default=None, description="The newest value, where there is one.")


class Rule(RuleDefinition):
    """A stored rule with its present state."""

    id: Id
    owner_id: Id | None = None
    version: Whole
    paused_until: Instant | None = Field(default=None, description="Until then nobody is told; year 9999: until it is resumed.")
    error: str | None = Field(default=None, description="Why the rule couldn't be judged at its last tick.")
    state: RuleState = "nodata"
    since: Instant | None = Field(default=None, description="Since when it is in this state.")
    value: float | None = Field(default=None, description="Of the instance that stands worst.")
    instances: list[Instance] = Field(default_factory=list, description="At most 50 in lists, the most urgent first.")
    instance_count: int = 0
    silenced: bool = Field(default=False, description="Whether a silence matches all of the rule just now.")
    created_at: Instant
    updated_at: Instant

    @property
    def is_public(self) -> bool:
        """Everybody who may read rules may read this one."""
        return True


class Delivery(Model):
    """What became of telling one channel of an event."""

    id: Id = Field(description="Stable: a receiver that sees it twice has been sent it twice.")
    type: ChannelType
    target: str
    state: DeliveryState
    attempts: int
    next_attempt_at: Instant | None = None
    sent_at: Instant | None = None
    error: str | None = None


class Event(Model):
    """A transition of an instance. Events outlive their rule."""

    id: Id
    rule_id: Id
    rule_name: str
    severity: Severity
    incident: Id = Field(description="What firing and its resolved share.")
    status: Status
    reason: Reason | None = Field(default=None, description="Why it was resolved, where the value didn't.")
    value: float | None
    tags: dict[str, str]
    triggered_at: Instant = Field(description="The tick of this incident's firing.")
    resolved_at: Instant | None = Field(default=None, description="The tick of its end; on the firing event as well.")
    deliveries: list[Delivery] = Field(default_factory=list)


class FiringPeriod(Model):
    """A time in which an instance of a rule fired, for plots of what the rule watches."""

    query: str
    tags: dict[str, str]
    rule_name: str
    severity: Severity
    start_ms: int
    end_ms: int | None = Field(default=None, description="Missing while it fires.")

    def concerns(self, selection: Selection) -> bool:
        """Whether the selection shows what fired: the metric, and no tag that says otherwise."""
        asked = {key: [value] if isinstance(value, str) else value for key, value in selection.tags.items()}
        return self.query == selection.query and all(self.tags[key] in asked[key] for key in asked.keys() & self.tags.keys())


class ActiveAlert(Model):
    """What isn't ok, or wasn't lately: an instance of a rule, or the rule itself where it has none or can't be judged."""

    rule_id: Id
    rule_name: str
    query: str
    severity: Severity
    tags: dict[str, str] = Field(description="The instance's, and those that the rule filters by.")
    state: ActiveState
    since_ms: int = Field(description="Unix ms: since when it is in this state.")
    value: float | None
    muted: bool = Field(description="Whether a silence or the rule's pause keeps it quiet.")


class Evaluated(Model):
    tags: dict[str, str]
    state: InstanceState
    value: float | None


class Evaluation(Model):
    """How a rule would be judged now. Nothing is written."""

    state: RuleState
    firing: bool
    value: float | None
    instances: list[Evaluated]
    error: str | None = None


class BacktestRequest(Model):
    """The body of ``POST /alerts/backtest``."""

    rule: RuleDefinition
    start: Moment
    end: Moment
    max_points: Annotated[int, Field(ge=10, le=10_000), WHOLE] = Field(
        default=1000, description="Bounds the points a series that are answered to draw."
    )

    @model_validator(mode="after")
    def _start_before_end(self) -> BacktestRequest:
        if to_ms(self.start) >= to_ms(self.end):
            raise ValueError("start must be before end")
        return self


class Period(Model):
    """A time in which an instance was pending or firing; ``end`` is null where the range ended first."""

    tags: dict[str, str]
    state: Literal["pending", "firing"]
    start: Instant
    end: Instant | None
    value: float | None = None
    reason: Reason | None = None


class BacktestSeries(Model):
    tags: dict[str, str]
    values: list[float | None]


class Backtest(Model):
    """What a rule would have done."""

    start: Instant
    end: Instant
    judged_from: Instant | None = Field(description="From here on the history suffices to judge; null where it never does.")
    fired: int = Field(description="How often it would have fired.")
    firing_seconds: float
    summary: str = Field(description="`fired 3 times in 7 days, 42 minutes in total`")
    periods: list[Period]
    truncated: bool = Field(default=False, description="Whether instances or periods were left out.")
    times: list[int] = Field(description="To draw: bucket starts, Unix ms.")
    series: list[BacktestSeries]
    step: str
    threshold: float


class SilenceRequest(StorableModel):
    """Mutes what matches all that is given; nothing given matches everything."""

    rule_id: Id | None = None
    tags: Tags = Field(default_factory=dict)
    severity: Severity | None = None
    starts_at: Moment | None = Field(default=None, description="Now when missing.")
    ends_at: Moment
    reason: Comment = ""

    @model_validator(mode="after")
    def _start_before_end(self) -> SilenceRequest:
        if self.starts_at is not None and self.starts_at >= self.ends_at:
            raise ValueError("startsAt must be before endsAt")
        return self


class Silence(Model):
    id: Id
    rule_id: Id | None
    tags: dict[str, str]
    severity: Severity | None
    starts_at: Instant
    ends_at: Instant
    reason: str
    owner_id: Id | None
    created_by: str = Field(description="E-mail of who made it, as it was then.")
    created_at: Instant
    active: bool

    @property
    def is_public(self) -> bool:
        return True


class PauseRequest(Model):
    until: Moment | None = Field(default=None, description="Until it is resumed, when missing.")


class TestSent(Model):
    """What became of a test notification."""

    __test__ = False  # not a test, whatever pytest thinks of its name

    sent: bool
    error: str | None = None
