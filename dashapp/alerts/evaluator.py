"""The evaluator: one process's part in judging rules. Whoever holds the lease judges each tick once.

A pass judges all ticks since the last one that was judged, mostly one. Missed ones are replayed from history through the same
machine, and what they bring about is written in one transaction with the clock, so that nothing is judged twice or lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from dashapp.alerts.judging import Values, gone_ms, present, seen_by_group, stale_ms, values_at
from dashapp.alerts.machine import fresh, steady
from dashapp.alerts.outcome import Outcome
from dashapp.alerts.replay import replay
from dashapp.alerts.ticks import Ticks
from dashapp.alerts.timeline import advance
from dashapp.alerts.watched import Watched, read, versions
from dashapp.contract.timerange import to_ms
from dashapp.database import sql
from dashapp.database.leases import Lease, LeaseLost
from dashapp.database.pool import Connection, Database
from dashapp.errors import DashappError
from dashapp.metrics.clock import DAY, floor_to
from dashapp.metrics.query import Reader

log = logging.getLogger(__name__)
_SQL = sql.load("dashapp.alerts", "evaluator.sql")

JOB = "alerts"
#: So far back missed ticks are judged.
REPLAY_MS = DAY
#: So few missed ticks are judged one by one, which is cheaper than reading an hour for them.
_ONE_BY_ONE = 4


@dataclass
class Figures:
    """How judging goes, for ``/metrics``."""

    #: Whether this process judges.
    leading: bool = False
    #: The last tick that was judged, Unix ms, and how long the pass took.
    last_tick: int = 0
    seconds: float = 0.0
    #: Ticks that were judged; of them those later than their own interval, and rules whose judging failed at the last.
    ticks: int = 0
    late: int = 0
    rules: int = 0
    failing: int = 0


@dataclass
class _Memory:
    """What is known of the database, as of `generation` and the last pass."""

    generation: int = -1
    last_tick: int | None = None
    rules: dict[UUID, Watched] = field(default_factory=dict)


class Evaluator:
    """One process's part. `tick` it every interval."""

    def __init__(
        self,
        database: Database,
        reader: Reader,
        ticks: Ticks,
        *,
        lease: Lease | None = None,
        told: Callable[[], None] | None = None,
    ) -> None:
        self.database, self.reader, self.ticks = database, reader, ticks
        self.lease = lease or Lease(database, JOB)
        self.figures = Figures()
        self._told = told or (lambda: None)
        self._memory = _Memory()

    async def tick(self) -> bool:
        """One pass; True where this process leads. What one rule does wrong is that rule's error.

        Raises:
            Unavailable: the database can't be reached; the ticks are made up for later.
        """
        self.figures.leading = await self.lease.renew()
        if not self.figures.leading:
            self._memory = _Memory()
            return False
        began = time.monotonic()
        try:
            judged = await self._pass()
        except LeaseLost:
            log.info("another process took the alert rules over")
            self.figures.leading, self._memory = False, _Memory()
            return False
        except BaseException:
            self._memory = _Memory()
            raise
        if judged:
            self.figures.seconds = time.monotonic() - began
        return True

    async def _pass(self) -> bool:
        newest = await self.ticks.newest()
        last = await self._look()
        interval = self.ticks.interval_ms
        if last is None:
            last = newest - interval
        if newest <= last:
            return False
        following = floor_to(last, interval) + interval
        first = max(following, newest - REPLAY_MS)
        due = list(range(first, newest + 1, interval))
        outcome = Outcome()
        if first > following:  # longer away than is made up for: nothing is known of that time
            self._error_at(following, outcome)
        if len(due) <= _ONE_BY_ONE:
            for tick in due:
                await self._judge(tick, outcome)
        else:
            log.info("alert rules: making up for %d missed ticks", len(due))
            await replay(self.reader, list(self._memory.rules.values()), due, outcome, self._renew)
        await self._commit(newest, outcome)
        self.figures.ticks += len(due)
        self.figures.late += len(due) - 1
        self.figures.last_tick, self.figures.rules = newest, len(self._memory.rules)
        self.figures.failing = sum(watched.error is not None for watched in self._memory.rules.values())
        return True

    async def _look(self) -> int | None:
        """The last judged tick; rules and instances are read anew where someone else has changed them."""
        async with self.database.connection() as connection:
            row = await (await connection.execute(_SQL["clock"])).fetchone()
            assert row is not None
            last = None if row["last_tick"] is None else to_ms(cast(datetime, row["last_tick"]))
            generation = cast(int, row["generation"])
            if generation != self._memory.generation or last != self._memory.last_tick:
                self._memory = _Memory(generation, last, await read(connection, self._memory.rules))
        return last

    async def _renew(self) -> None:
        if not await self.lease.renew():
            raise LeaseLost(JOB)

    def _error_at(self, tick: int, outcome: Outcome) -> None:
        for watched in self._memory.rules.values():
            for group, standing in watched.instances.items():
                after, change = advance(watched.policy, standing.state, tick, "error", False)
                outcome.move(watched, group, standing, after, change, tick, None)

    # -- one tick ----------------------------------------------------------------------------------------------

    async def _judge(self, tick: int, outcome: Outcome) -> None:
        due = [watched for watched in self._memory.rules.values() if watched.effective_at <= tick]
        answers = await values_at(self.reader, [watched.rule for watched in due], tick)
        gone = await self._gone(due, answers, tick, outcome)
        await asyncio.to_thread(_step_all, due, answers, gone, tick, outcome)

    async def _gone(
        self, due: list[Watched], answers: list[Values | DashappError], tick: int, outcome: Outcome
    ) -> set[tuple[UUID, object]]:
        """Instances without a bucket in the last hour. Only those that have been without data for nearly so long are asked."""
        suspects = []
        for watched, answer in zip(due, answers, strict=True):
            if not watched.rule.group_by or isinstance(answer, DashappError):
                continue
            since = tick - gone_ms(watched.rule.step) + stale_ms(watched.rule.step) + self.ticks.interval_ms
            standings = outcome.standings(watched)
            if any(one.state.seen == "nodata" and one.state.seen_since <= since for one in standings.values()):
                suspects.append((watched, answer, standings))
        if not suspects:
            return set()
        found = await present(self.reader, [watched.rule for watched, _, _ in suspects], tick)
        return {
            (watched.id, group)
            for (watched, answer, standings), there in zip(suspects, found, strict=True)
            if not isinstance(there, DashappError)
            for group in standings
            if group and group not in there and group not in answer
        }

    # -- writing -----------------------------------------------------------------------------------------------

    async def _commit(self, tick: int, outcome: Outcome) -> None:
        rules = self._memory.rules
        async with self.database.connection() as connection:
            await self.lease.check(connection)
            row = await (await connection.execute(_SQL["lock_clock"])).fetchone()
            assert row is not None
            stored = None if row["last_tick"] is None else to_ms(cast(datetime, row["last_tick"]))
            if stored != self._memory.last_tick:
                raise LeaseLost(JOB)  # another process has judged in between
            if row["generation"] != self._memory.generation:
                outcome = outcome.without(await _changed(connection, rules))
            await outcome.write(connection, rules, tick)
        outcome.apply(rules)
        self._memory.last_tick = tick
        if outcome.told:
            self._told()


async def _changed(connection: Connection, rules: dict[UUID, Watched]) -> set[UUID]:
    """Rules that were changed while they were judged: they are judged anew at the next tick."""
    current = await versions(connection)
    return {key for key, watched in rules.items() if current.get(key) != watched.version}


def _step_all(
    due: list[Watched], answers: list[Values | DashappError], gone: set[tuple[UUID, object]], tick: int, outcome: Outcome
) -> None:
    for watched, answer in zip(due, answers, strict=True):
        error = str(answer) if isinstance(answer, DashappError) else None
        if error != outcome.errors.get(watched.id, watched.error):
            outcome.errors[watched.id] = error
        policy, standings = watched.policy, outcome.standings(watched)
        sights = seen_by_group(watched.rule, answer, standings)
        for group, (seen, value) in sights.items():
            standing = standings.get(group)
            vanished = (watched.id, group) in gone
            if standing is not None and not vanished and steady(policy, standing.state, seen):
                continue
            before = standing.state if standing is not None else fresh(tick, seen)
            after, change = advance(policy, before, tick, seen, vanished)
            outcome.move(watched, group, standing, after, change, tick, value)
        if len(standings) > len(sights) or not standings.keys() <= sights.keys():
            for group in standings.keys() - sights.keys():
                standing = standings[group]
                after, change = advance(policy, standing.state, tick, "nodata", True)
                outcome.move(watched, group, standing, after, change, tick, None)
