"""The tier timescaledb's own means: the columnstore, continuous aggregates, policies."""

from __future__ import annotations

import pytest

from dashapp.contract.metrics import Point
from dashapp.database.pool import Database
from dashapp.metrics.clock import system_clock
from dashapp.metrics.rollups.aggregates import joined
from tests.metrics.conftest import DAY, HOUR, MINUTE, Store, make_store, timescaledb_only
from tests.metrics.model import ManualClock, Model, assert_frame

pytestmark = timescaledb_only


async def test_a_thousand_series_are_corrected_in_a_compressed_chunk(store: Store) -> None:
    midnight = store.clock.now_ms // DAY * DAY - 3 * DAY
    points = [Point(name="m", value=1.0, tags={"n": str(number)}, timestamp=midnight) for number in range(1000)]
    await store.ingest.write(points)
    # More than TimescaleDB decompresses for one statement unless told: 120 000 rows.
    await store.rows(
        """
        INSERT INTO metrics_raw SELECT to_timestamp(%s) + n * interval '10 minutes', id, 1 FROM series, generate_series(1, 119) AS n
        RETURNING 1
        """,
        midnight / 1000,
    )
    assert await store.rows("SELECT compress_chunk(c) FROM show_chunks('metrics_raw') AS c")
    corrections = [Point(name="m", value=3.0, tags={"n": str(number)}, timestamp=midnight) for number in range(1000)]
    assert await store.ingest.write(corrections) == 1000
    assert await store.jobs.tick()
    for step in (MINUTE, HOUR):
        frame = await store.ask("m", midnight, midnight + step, step=step, aggregation="max")
        assert frame.series[0].values.tolist() == [3.0]
    assert await store.value("SELECT count(*) FROM metrics_raw") == 120_000


async def _policies(store: Store) -> dict[tuple[str, str], tuple[bool, str | None]]:
    rows = await store.rows(
        """
        SELECT proc_name, coalesce(a.view_name, jobs.hypertable_name)::text AS relation, scheduled,
            coalesce(config ->> 'drop_after', config ->> 'start_offset') AS age
        FROM timescaledb_information.jobs
        LEFT JOIN timescaledb_information.continuous_aggregates a ON materialization_hypertable_name = jobs.hypertable_name
        WHERE proc_name IN ('policy_retention', 'policy_refresh_continuous_aggregate')
        """
    )
    kinds = {"policy_retention": "retention", "policy_refresh_continuous_aggregate": "refresh"}
    return {(kinds[str(row["proc_name"])], str(row["relation"])): (row["scheduled"], row["age"]) for row in rows}  # type: ignore[misc]


async def test_policies_follow_the_settings_and_refreshes_stay_inside_raw_retention(database: Database) -> None:
    clock = ManualClock(system_clock())
    for settings, raw, refresh, minutes in (
        ({"retention_raw": "3d"}, (True, "6 days"), (True, "3 days"), (True, "33 days")),
        ({"retention_1min": "forever", "retention_1hour": "forever"}, (True, "10 days"), (True, "7 days"), (False, "33 days")),
        (
            {"retention_raw": "forever", "retention_1min": "forever", "retention_1hour": "forever"},
            (False, "10 days"), (True, None), (False, "33 days"),
        ),
        ({}, (True, "10 days"), (True, "7 days"), (True, "33 days")),
    ):  # fmt: skip
        store = make_store(database, clock, **settings)
        assert await store.jobs.tick()
        assert (await store.jobs.status()).error is None
        found = await _policies(store)
        assert found["retention", "metrics_raw"] == raw
        assert found["retention", "metrics_1min"] == minutes
        assert found["refresh", "metrics_1min"] == found["refresh", "metrics_1hour"] == refresh
        await store.jobs.lease.release()


async def test_what_a_policy_has_dropped_is_held_no_more(store: Store) -> None:
    ran = store.clock.now_ms // DAY * DAY + HOUR
    job = "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention' AND hypertable_name = 'metrics_raw'"
    await store.jobs.tick()
    await store.rows("UPDATE retention_horizons SET horizon = to_timestamp(0) RETURNING level")
    # There is no scheduler in these tests; this is what it leaves behind.
    await store.rows(
        f"""
        INSERT INTO _timescaledb_internal.bgw_job_stat
        SELECT (jsonb_populate_record(null::_timescaledb_internal.bgw_job_stat, jsonb_build_object(
            'job_id', ({job}), 'last_start', to_timestamp(%s), 'last_finish', to_timestamp(%s), 'next_start', '-infinity',
            'last_successful_finish', to_timestamp(%s), 'last_run_success', true, 'total_runs', 1, 'total_duration', '1s',
            'total_duration_failures', '0s', 'total_successes', 1, 'total_failures', 0, 'total_crashes', 0,
            'consecutive_failures', 0, 'consecutive_crashes', 0, 'flags', 0))).*
        RETURNING job_id
        """,
        *[ran / 1000] * 3,
    )
    try:
        await store.jobs.retention.follow()
        assert (await store.jobs.status()).horizons["raw"] == ran - HOUR - 10 * DAY
        (policy,) = [
            policy
            for policy in (await store.jobs.status()).policies
            if (policy.kind, policy.relation) == ("retention", "metrics_raw")
        ]
        assert (policy.scheduled, policy.runs, policy.failures, policy.error) == (True, 1, 0, None)
    finally:
        await store.rows("DELETE FROM _timescaledb_internal.bgw_job_stat RETURNING job_id")


async def test_a_step_that_is_cut_short_leaves_its_dirty_rows_for_the_next(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.jobs.tick()
    now = store.clock.now_ms
    points = [Point(name="m", value=float(number), timestamp=now - number * HOUR) for number in range(1, 40)]
    model = Model()
    model.write(points)
    await store.ingest.write(points)
    waiting = (await store.jobs.status()).dirty

    async def broken(*_: object) -> None:
        raise RuntimeError("power loss")

    for method in ("_refresh", "_compute"):
        with monkeypatch.context() as patched:
            patched.setattr(store.jobs.refresh, method, broken)
            assert await store.jobs.tick()
            assert "power loss" in str((await store.jobs.status()).error)
            assert (await store.jobs.status()).dirty == waiting
    assert await store.jobs.tick()
    assert (await store.jobs.status()).dirty == 0
    for step in (MINUTE, HOUR, DAY):
        assert_frame(await store.ask("m", now - 3 * DAY, now, step=step, aggregation="sum"), model, "sum", now - 3 * DAY, now)


def test_windows_are_joined_oldest_first_and_cut_to_a_width() -> None:
    assert joined([(5, 6), (1, 2), (2, 3), (8, 8), (9, 7)], 10) == [(1, 3), (5, 6)]
    assert joined([(0, 25), (10, 12)], 10) == [(0, 10), (10, 20), (20, 25)]
