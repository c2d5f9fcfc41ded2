-- name: lock_horizon
-- Waits for the transactions of ingest under way, and holds off new ones until this transaction has ended.
SELECT horizon FROM retention_horizons WHERE level = %(level)s FOR UPDATE

-- name: dirty_below
-- What still has to be computed from raw: late samples, and what new counters grew by before they were any.
SELECT EXISTS (SELECT FROM rollup_dirty WHERE bucket < %(horizon)s)
    OR EXISTS (SELECT FROM counters WHERE after_series IS NOT NULL) AS found

-- name: advance
UPDATE retention_horizons SET horizon = %(horizon)s WHERE level = %(level)s AND horizon < %(horizon)s

-- name: old_chunks
SELECT EXISTS (
    SELECT FROM show_chunks(
        %(relation)s::regclass, older_than => (SELECT horizon FROM retention_horizons WHERE level = %(level)s)
    )
) AS found

-- name: drop_chunks
SELECT drop_chunks(
    %(relation)s::regclass, older_than => (SELECT horizon FROM retention_horizons WHERE level = %(level)s)
) AS chunk

-- name: series_without_rows
-- OFFSET 0 keeps each probe one look into an index; as a join it would read whole tables.
SELECT array_agg(id) AS ids
FROM (
    SELECT s.id
    FROM series s
    WHERE s.id > %(after)s AND s.id <= %(upto)s AND s.created_at < now() - interval '24 hours'
        AND NOT EXISTS (SELECT FROM rollup_1hour r WHERE r.series_id = s.id OFFSET 0)
        AND NOT EXISTS (SELECT FROM rollup_1min r WHERE r.series_id = s.id OFFSET 0)
        AND NOT EXISTS (SELECT FROM metrics_raw r WHERE r.series_id = s.id OFFSET 0)
) AS gone

-- name: delete_series
-- Judged again, now that no transaction of ingest is under way.
DELETE FROM series s
WHERE s.id = ANY(%(ids)s)
    AND NOT EXISTS (SELECT FROM rollup_1hour r WHERE r.series_id = s.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM rollup_1min r WHERE r.series_id = s.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM metrics_raw r WHERE r.series_id = s.id OFFSET 0)

-- name: renew_epoch
-- The row's new xmin tells every ingest to forget the ids that it remembers.
UPDATE retention_horizons SET horizon = horizon WHERE level = 'raw'
