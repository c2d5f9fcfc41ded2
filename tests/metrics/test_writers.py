"""Two writers of one process: what one learns about deleted series holds for what the other is about to write."""

from __future__ import annotations

import asyncio
from typing import Any

from dashapp.metrics.series import Key
from tests.metrics.conftest import Store


async def test_ids_that_were_asked_for_before_a_deletion_are_not_written_under(store: Store) -> None:
    """One writer has its ids when the series is deleted; the other notices first, and the memory is of the new epoch then."""
    now = store.clock.now_ms
    assert await store.write("a", (now, 1.0))
    series, held, go_on = store.ingest.series, asyncio.Event(), asyncio.Event()
    original = series.resolve

    async def resolve(keys: Any) -> dict[Key, int]:
        ids = await original(keys)
        if any(key[0] == "a" for key in keys) and not held.is_set():
            held.set()
            await go_on.wait()
        return ids

    series.resolve = resolve  # type: ignore[method-assign]
    late = asyncio.create_task(store.write("a", (now, 2.0)))
    await held.wait()
    async with store.database.connection() as connection:
        await connection.execute("DELETE FROM metrics_raw")
        await connection.execute("DELETE FROM series")
        await connection.execute("UPDATE retention_horizons SET horizon = horizon WHERE level = 'raw'")
    assert await store.write("b", (now, 3.0)) == 1
    go_on.set()
    assert await late == 1
    rows = await store.rows("SELECT m.name, r.value FROM metrics_raw r JOIN series s ON s.id = r.series_id "
                            "JOIN metrics m ON m.id = s.metric_id ORDER BY m.name")  # fmt: skip
    assert rows == [{"name": "a", "value": 2.0}, {"name": "b", "value": 3.0}]
    assert await store.value("SELECT count(*) FROM metrics_raw") == 2
