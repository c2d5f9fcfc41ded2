"""How the live hub and caches notice that history changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from dashapp.database.notices import MISSED, Notices
from dashapp.database.pool import Database

#: The channel of notices; each names a metric and its new generation. `ingest.sql` and `refresh.sql` send them.
CHANNEL = "generations"
#: How old may be what is remembered of a generation; then it is asked again.
REMEMBERED_SECONDS = 10.0
_REMEMBERED = 20_000


async def generations(database: Database, names: Iterable[str]) -> dict[str, int]:
    """The generation of each metric that exists. It rises with every committed change of minutes older than two minutes.

    Raises:
        Unavailable: the database can't be reached.
    """
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT name, generation FROM metrics WHERE name = ANY(%s)", (list(names),))
        return {str(row["name"]): int(str(row["generation"])) for row in await cursor.fetchall()}


class Generations:
    """Generations as this process knows them: from notices at once, and at most 10 s late where none come."""

    def __init__(self, database: Database, notices: Notices, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._database, self._timer = database, timer
        # By metric: its generation, and when it was asked for.
        self._known: dict[str, tuple[int, float]] = {}
        self._told: list[dict[str, int]] = []
        self._epoch = 0
        self._leave = notices.listen(CHANNEL, self._hear)

    def close(self) -> None:
        self._leave()

    async def of(self, names: Collection[str]) -> dict[str, int]:
        """The generation of each of these metrics; 0 of one that doesn't exist.

        Raises:
            Unavailable: the database can't be reached.
        """
        now = self._timer()
        found = {name: self._known[name][0] for name in names if name in self._known and now < self._known[name][1]}
        missing = [name for name in names if name not in found]
        if missing:
            found |= await self._ask(missing, now)
        return found

    async def _ask(self, names: list[str], now: float) -> dict[str, int]:
        # What is told meanwhile may be newer than what the database answers.
        told: dict[str, int] = {}
        self._told.append(told)
        epoch = self._epoch
        try:
            answered = await generations(self._database, names)
        finally:
            self._told.remove(told)
        fresh = {name: max(answered.get(name, 0), told.get(name, 0)) for name in names}
        if epoch == self._epoch:
            if len(self._known) + len(fresh) > _REMEMBERED:
                self._known.clear()
            self._known |= {name: (generation, now + REMEMBERED_SECONDS) for name, generation in fresh.items()}
        return fresh

    def _hear(self, payload: str) -> None:
        if payload == MISSED:
            self._known.clear()
            self._epoch += 1
            return
        name, _, text = payload.rpartition(" ")
        generation = int(text)
        for told in self._told:
            told[name] = generation
        if name in self._known:
            self._known[name] = (max(generation, self._known[name][0]), self._known[name][1])
