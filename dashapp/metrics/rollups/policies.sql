-- name: jobs
-- Policies on dashapp's relations. Older releases name an aggregate's job after the hypertable inside of it.
SELECT j.job_id, j.proc_name, j.scheduled, j.config, coalesce(a.view_name, j.hypertable_name)::text AS relation
FROM timescaledb_information.jobs j
LEFT JOIN timescaledb_information.continuous_aggregates a ON a.materialization_hypertable_name = j.hypertable_name
WHERE coalesce(a.view_name, j.hypertable_name) IN ('metrics_raw', 'metrics_1min', 'metrics_1hour')

-- name: adjust_retention
-- NULL keeps everything: the policy stays and is not scheduled.
SELECT alter_job(
    j.job_id, scheduled => %(after)s::interval IS NOT NULL,
    config => j.config || jsonb_build_object('drop_after', coalesce(%(after)s::interval::text, j.config ->> 'drop_after'))
)
FROM ({jobs}) AS j
WHERE j.proc_name = 'policy_retention' AND j.relation = %(relation)s
    AND (
        j.scheduled IS DISTINCT FROM (%(after)s::interval IS NOT NULL)
        OR (j.config ->> 'drop_after')::interval IS DISTINCT FROM coalesce(%(after)s, (j.config ->> 'drop_after')::interval)
    )

-- name: adjust_refresh
SELECT alter_job(j.job_id, config => j.config || jsonb_build_object('start_offset', %(start)s::interval::text))
FROM ({jobs}) AS j
WHERE j.proc_name = 'policy_refresh_continuous_aggregate' AND j.relation = %(relation)s
    AND (j.config ->> 'start_offset')::interval IS DISTINCT FROM %(start)s

-- name: follow
-- A run drops chunks that were whole days older, at its start, than the policy's age.
UPDATE retention_horizons h
SET horizon = dropped.upto
FROM (
    SELECT CASE j.relation WHEN 'metrics_raw' THEN 'raw' WHEN 'metrics_1min' THEN '1min' ELSE '1hour' END AS level,
        date_trunc('day', max(s.last_run_started_at - (j.config ->> 'drop_after')::interval), 'UTC') AS upto
    FROM ({jobs}) AS j
    JOIN timescaledb_information.job_stats s USING (job_id)
    WHERE j.proc_name = 'policy_retention' AND s.last_run_started_at > '-infinity'
    GROUP BY 1
) AS dropped
WHERE dropped.level = h.level AND h.horizon < dropped.upto

-- name: list
SELECT CASE j.proc_name
        WHEN 'policy_retention' THEN 'retention'
        WHEN 'policy_refresh_continuous_aggregate' THEN 'refresh'
        ELSE 'columnstore'
    END AS kind,
    j.relation, j.scheduled, coalesce(s.total_runs, 0) AS runs, coalesce(s.total_failures, 0) AS failures,
    CASE WHEN s.last_run_started_at > '-infinity' THEN s.last_run_started_at + s.last_run_duration END AS finished_at,
    CASE WHEN s.last_run_status = 'Failed' THEN coalesce(
        (SELECT e.err_message FROM timescaledb_information.job_errors e WHERE e.job_id = j.job_id ORDER BY e.start_time DESC LIMIT 1),
        'the server''s log says why'
    ) END AS error
FROM ({jobs}) AS j
LEFT JOIN timescaledb_information.job_stats s USING (job_id)
ORDER BY j.relation DESC, kind
