"""Which series a name and its tags are: ids from the database, remembered in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Collection, Mapping

from dashapp.database import sql
from dashapp.database.pool import Connection, Database
from dashapp.errors import RateLimited
from dashapp.metrics.memory import Memory

#: What a series is known by: its metric and its tags, in whatever order they came.
Key = tuple[str, frozenset[tuple[str, str]]]

_SQL = sql.load("dashapp.metrics", "series.sql")
#: Ids that one generation of the memory holds; there are two generations.
_REMEMBERED = 50_000
_COUNT_SECONDS = 60.0
#: At the limit it is counted more often, so that room is noticed, but not for each request.
_COUNT_AT_LIMIT_SECONDS = 2.0
#: Series made in one transaction; hashing that many takes the loop about 10 ms.
_AT_ONCE = 2_000


def series_key(name: str, tags: Mapping[str, str]) -> Key:
    return name, frozenset(tags.items())


def canonical(tags: Mapping[str, str]) -> str:
    """Tags as the one JSON text that is hashed: sorted keys, compact, characters as they are."""
    return json.dumps(dict(tags), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def tags_hash(tags: Mapping[str, str]) -> bytes:
    """SHA-256 of the canonical tags."""
    return hashlib.sha256(canonical(tags).encode()).digest()


class SeriesLimitReached(RateLimited):
    """There are as many series as there may be."""


class SeriesIds:
    """Ids by key. Only committed ids are remembered, and all are forgotten when a series was deleted (`epoch`)."""

    def __init__(self, database: Database, max_series: int, *, remembered: int = _REMEMBERED) -> None:
        self.database, self.max_series = database, max_series
        self.epoch: str | None = None
        self._ids: Memory[Key, int] = Memory(remembered)
        #: One writer at a time asks and makes: each then counts what the other made.
        self._asking = asyncio.Lock()
        self._count, self._counted = 0, -_COUNT_SECONDS

    def __len__(self) -> int:
        return len(self._ids)

    def forget(self, epoch: str) -> None:
        """Forget every id; those asked for from now on are true since `epoch`."""
        self.epoch = epoch
        self._ids.clear()

    async def resolve(self, keys: Collection[Key]) -> dict[Key, int]:
        """The id of every key; series that are missing are made, in transactions of their own.

        Raises:
            SeriesLimitReached: new series would exceed the limit.
            Unavailable: the database can't be reached.
        """
        found: dict[Key, int] = {}
        missing: list[Key] = []
        for key in keys:
            known = self._ids.get(key)
            if known is None:
                missing.append(key)
            else:
                found[key] = known
        for at in range(0, len(missing), _AT_ONCE):
            async with self._asking:
                epoch = self.epoch
                fresh = await self._ask(missing[at : at + _AT_ONCE])
                if epoch == self.epoch:  # else another writer has learnt meanwhile that series were deleted
                    for key, known in fresh.items():
                        self._ids.put(key, known)
            found |= fresh
        return found

    async def held(self, keys: Collection[Key]) -> set[Key]:
        """Those of the keys that are series already; none is made.

        Raises:
            Unavailable: the database can't be reached.
        """
        known = {key for key in keys if self._ids.get(key) is not None}
        missing = [key for key in keys if key not in known]
        async with self.database.connection() as connection:
            for at in range(0, len(missing), _AT_ONCE):
                part = missing[at : at + _AT_ONCE]
                known |= (await self._find(connection, part, {key: tags_hash(dict(key[1])) for key in part})).keys()
        return known

    async def _ask(self, keys: list[Key]) -> dict[Key, int]:
        texts = {key: canonical(dict(key[1])) for key in keys}
        hashes = {key: hashlib.sha256(text.encode()).digest() for key, text in texts.items()}
        async with self.database.connection() as connection:
            found = await self._find(connection, keys, hashes)
            new = [key for key in keys if key not in found]
            if new:
                await self._check_limit(connection, new)
                columns = {
                    "names": [key[0] for key in new], "hashes": [hashes[key] for key in new], "tags": [texts[key] for key in new],
                }  # fmt: skip
                await connection.execute(_SQL["make_metrics"], {"names": columns["names"]})
                made = (await connection.execute(_SQL["make_series"], columns)).rowcount
                found |= await self._find(connection, new, hashes)
                self._count += made
        return found

    async def _find(self, connection: Connection, keys: list[Key], hashes: Mapping[Key, bytes]) -> dict[Key, int]:
        columns = {"names": [key[0] for key in keys], "hashes": [hashes[key] for key in keys]}
        cursor = await connection.execute(_SQL["find"], columns)
        return {keys[int(str(row["n"])) - 1]: int(str(row["id"])) for row in await cursor.fetchall()}

    async def _check_limit(self, connection: Connection, new: list[Key]) -> None:
        # Counting a million rows takes a while: between counts this process adds up what it makes itself. What
        # others make in the meantime may exceed the limit by a minute's worth.
        now = time.monotonic()
        patience = _COUNT_AT_LIMIT_SECONDS if self._count + len(new) > self.max_series else _COUNT_SECONDS
        if now - self._counted > patience:
            row = await (await connection.execute(_SQL["count"])).fetchone()
            self._count, self._counted = int(str(row["series"])) if row else 0, now
        if self._count + len(new) > self.max_series:
            name = new[max(0, self.max_series - self._count)][0]
            raise SeriesLimitReached(
                f"{name} would make a new series, and the limit of {self.max_series} series is reached; "
                f"send fewer different tags or raise DASHAPP_MAX_SERIES.",
                retry_after=600,
            )
