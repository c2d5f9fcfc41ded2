"""What is known about metrics."""

from __future__ import annotations

import asyncio

import pytest

from dashapp.contract.metrics import MetricInfo, MetricUpdate
from dashapp.errors import NotFound
from dashapp.metrics.changes import generations
from tests.metrics.conftest import Store


async def test_search_finds_parts_of_names_and_takes_no_wildcards(store: Store) -> None:
    for name in ("cpu.usage", "host_cpu", "Memory.used", "a_b", "axb"):
        await store.write(name, (store.clock.now_ms, 1.0))
    assert [info.name for info in await store.catalog.search("CPU")] == ["cpu.usage", "host_cpu"]
    assert [info.name for info in await store.catalog.search("a_b")] == ["a_b"]
    assert await store.catalog.search("%") == []
    assert len(await store.catalog.search("")) == 5
    assert len(await store.catalog.search("", limit=2)) == 2


async def test_tags_with_their_values(store: Store) -> None:
    now = store.clock.now_ms
    await store.write("m", (now, 1.0), host="b", dc="x")
    await store.write("m", (now, 1.0), host="a", dc="x")
    await store.write("plain", (now, 1.0))
    assert await store.catalog.tags("m") == {"dc": ["x"], "host": ["a", "b"]}
    assert await store.catalog.tags("plain") == {}
    with pytest.raises(NotFound, match="'unknown'"):
        await store.catalog.tags("unknown")


async def test_update_changes_what_is_named_and_null_clears(store: Store) -> None:
    await store.write("m", (store.clock.now_ms, 1.0))
    assert await store.catalog.update("m", MetricUpdate(type="counter", unit="B")) == MetricInfo(name="m", type="counter", unit="B")
    assert await store.catalog.update("m", MetricUpdate(description="bytes")) == MetricInfo(
        name="m", type="counter", unit="B", description="bytes"
    )
    assert (await store.catalog.update("m", MetricUpdate(unit=None))).unit is None
    with pytest.raises(NotFound):
        await store.catalog.update("unknown", MetricUpdate(unit="B"))


async def test_describe_fills_what_is_empty_and_keeps_what_users_set(store: Store) -> None:
    await store.write("m", (store.clock.now_ms, 1.0))
    await store.catalog.update("m", MetricUpdate(unit="mine"))
    infos = [MetricInfo(name="m", type="gauge", unit="%", description="d"), MetricInfo(name="new", unit="s")]
    await asyncio.gather(*(store.catalog.describe(infos) for _ in range(4)))
    await store.catalog.describe([])
    assert await store.catalog.search("") == [
        MetricInfo(name="m", type="gauge", unit="mine", description="d"), MetricInfo(name="new", unit="s")
    ]  # fmt: skip
    assert await generations(store.database, ["m", "new", "none"]) == {"m": 0, "new": 0}
