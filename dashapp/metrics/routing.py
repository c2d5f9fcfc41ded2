"""Which relation answers which part of a query's range. Pure arithmetic; no database.

Each part goes to the coarsest relation whose bucket divides the step and which still holds that part. Parts that only a
finer relation can tell to the millisecond (the edges of a range that isn't aligned) go to the finer one. Where nothing
holds an edge exactly, the bucket that it lies in is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashapp.metrics.clock import DAY, HOUR, MINUTE, SECOND, ceil_to, floor_to


@dataclass(frozen=True)
class Level:
    """A relation that answers: its name in SQL, its name in ``retention_horizons``, its bucket in ms."""

    relation: str
    stored: str
    width_ms: int
    #: As `FrameMeta.resolution` names it.
    resolution: str


RAW = Level("metrics_raw", "raw", 1, "raw")
BY_MINUTE = Level("metrics_1min", "1min", MINUTE, "1m")
BY_HOUR = Level("metrics_1hour", "1hour", HOUR, "1h")
#: Finest first. Coarser ones are held at least as long.
LEVELS = (RAW, BY_MINUTE, BY_HOUR)
#: Of counters: what they grew by.
INCREASES = (RAW, Level("increase_1min", "1min", MINUTE, "1m"), Level("increase_1hour", "1hour", HOUR, "1h"))

#: A sample that is older than this and one step is no neighbour any more: the change since then isn't counted.
NEIGHBOUR_MS = 5 * MINUTE

#: Steps that read well on an axis; wider ones are whole days.
NICE_STEPS = (
    *(number * SECOND for number in (1, 2, 5, 10, 15, 30)),
    *(number * MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * HOUR for number in (1, 2, 3, 6, 12)),
    *(number * DAY for number in (1, 2, 5, 10, 20, 30, 60, 90, 180, 365)),
)

#: What is held: by `Level.stored`, everything at or after this moment (Unix ms).
Horizons = Mapping[str, int]


@dataclass(frozen=True)
class Part:
    """[start_ms, end_ms) from one relation."""

    level: Level
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Plan:
    """How a range is answered. `parts` are in the order of time and without gaps; none where nothing is held.

    Where each sample is compared with the one before, they begin early enough to hold the one before the covered range.
    """

    step_ms: int
    parts: tuple[Part, ...]
    covered_start_ms: int
    covered_end_ms: int

    @property
    def levels(self) -> list[Level]:
        """The relations that answer, coarsest first."""
        used = {part.level for part in self.parts if part.end_ms > self.covered_start_ms}
        return sorted(used, key=lambda level: -level.width_ms)

    @property
    def buckets(self) -> int:
        """How many buckets the covered range has."""
        if self.covered_start_ms >= self.covered_end_ms:
            return 0
        return (ceil_to(self.covered_end_ms, self.step_ms) - floor_to(self.covered_start_ms, self.step_ms)) // self.step_ms


def nice_step(at_least_ms: float) -> int:
    """The narrowest step that reads well and is no narrower than this."""
    for step in NICE_STEPS:
        if step >= at_least_ms:
            return step
    return ceil_to(int(at_least_ms), DAY)


def default_step(start_ms: int, end_ms: int, max_points: int) -> int:
    """The step of a query that names none: from raw up to 1 h, by the minute up to 24 h, by the hour beyond."""
    span = end_ms - start_ms
    finest = SECOND if span <= HOUR else MINUTE if span <= DAY else HOUR
    return nice_step(max(finest, span / max_points))


def reach(step_ms: int) -> int:
    """How far before its own bucket the bucket of the sample before may begin: 5 min and one step, in whole steps.

    Ages are counted in buckets of the query, because that is what every level can tell.
    """
    return floor_to(NEIGHBOUR_MS + step_ms, step_ms)


def _widened(step_ms: int, start_ms: int, end_ms: int, horizons: Horizons, levels: Sequence[Level]) -> int:
    """The step, as wide as the only level that still holds the range's oldest part needs it."""
    oldest = max(start_ms, horizons[levels[-1].stored])
    if oldest >= end_ms:
        return step_ms
    for level in levels:
        if oldest >= horizons[level.stored]:
            return ceil_to(step_ms, level.width_ms)
    return ceil_to(step_ms, levels[-1].width_ms)


def _parts(start_ms: int, end_ms: int, levels: tuple[Level, ...], horizons: Horizons) -> list[Part]:
    """The parts of [start, end) that these levels (finest first) can tell exactly."""
    if start_ms >= end_ms or not levels:
        return []
    *finer, level = levels
    lower = ceil_to(max(start_ms, horizons[level.stored]), level.width_ms)
    upper = floor_to(end_ms, level.width_ms)
    if lower >= upper:
        return _parts(start_ms, end_ms, tuple(finer), horizons)
    left = _parts(start_ms, lower, tuple(finer), horizons)
    right = _parts(upper, end_ms, tuple(finer), horizons)
    return [*left, Part(level, lower, upper), *right]


def _before(start_ms: int, step_ms: int, levels: tuple[Level, ...], horizons: Horizons) -> list[Part] | None:
    """Parts that hold the samples which may be neighbours of the first ones from `start_ms` on; None where they don't all."""
    lower = max(0, floor_to(start_ms, step_ms) - reach(step_ms))
    parts = _parts(lower, start_ms, levels, horizons)
    edges = [lower, *(part.end_ms for part in parts)]
    whole = [part.start_ms for part in parts] == edges[:-1] and edges[-1] == start_ms
    return parts if whole else None


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Neighbouring parts of one level as one."""
    joined: list[Part] = []
    for part in parts:
        if joined and joined[-1].level == part.level:
            part = Part(part.level, joined.pop().start_ms, part.end_ms)
        joined.append(part)
    return tuple(joined)


def plan(
    start_ms: int, end_ms: int, step_ms: int, horizons: Horizons, levels: Sequence[Level] = LEVELS, *, compared: bool = False
) -> Plan:
    """How [start, end) is answered at this step, or at a wider one where only coarser data is left.

    `levels` are those that can answer, finest first. With `compared`, samples are compared with those before them: then
    the range is covered from where on these are held too.
    """
    step = _widened(step_ms, start_ms, end_ms, horizons, levels)
    usable = tuple(level for level in levels if step % level.width_ms == 0)
    exact = _parts(start_ms, end_ms, usable, horizons)
    # The last run without a gap: older rows beyond a gap are coarse leftovers around a partly covered bucket.
    first = len(exact) - 1
    while first > 0 and exact[first - 1].end_ms == exact[first].start_ms:
        first -= 1
    exact = exact[max(first, 0) :]
    if not exact:
        return Plan(step, (), start_ms, start_ms)
    start, end = exact[0].start_ms, exact[-1].end_ms
    if start > start_ms:
        start = ceil_to(start, step)
    if end < end_ms:
        end = floor_to(end, step)
    before: list[Part] | None = []
    if compared and (before := _before(start, step, usable, horizons)) is None:
        held = ceil_to(horizons[usable[-1].stored], usable[-1].width_ms)
        start = ceil_to(max(start, held + reach(step)), step)
        before = _before(start, step, usable, horizons)
    if start >= end or before is None:
        return Plan(step, (), start_ms, start_ms)
    cut = [Part(part.level, max(part.start_ms, start), min(part.end_ms, end)) for part in exact]
    return Plan(step, _joined([*before, *(part for part in cut if part.start_ms < part.end_ms)]), start, end)
