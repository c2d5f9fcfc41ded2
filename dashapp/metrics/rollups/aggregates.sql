-- name: look_minutes
-- Rows of a writer that hasn't committed yet aren't seen, and stay for the next refresh.
SELECT array_agg(DISTINCT bucket) AS minutes, array_agg(place) AS places
FROM (SELECT bucket, ctid::text AS place FROM rollup_dirty WHERE series_id IS NULL LIMIT %(limit)s) AS seen

-- name: look_hours
SELECT array_agg(series_id) AS series, array_agg(bucket) AS hours, array_agg(place) AS places
FROM (
    SELECT series_id, bucket, ctid::text AS place FROM rollup_dirty WHERE series_id IS NOT NULL ORDER BY bucket LIMIT %(limit)s
) AS seen

-- name: delete_seen
DELETE FROM rollup_dirty WHERE ctid = ANY(%(places)s::tid[])

-- name: refresh
CALL refresh_continuous_aggregate(%(relation)s::regclass, %(start)s::timestamptz, %(end)s::timestamptz)

-- name: series_of_minutes
SELECT array_agg(DISTINCT raw.series_id) AS series
FROM unnest(%(minutes)s::timestamptz[]) AS d (minute)
CROSS JOIN LATERAL (
    SELECT series_id FROM metrics_raw
    WHERE time >= d.minute AND time < d.minute + interval '1 minute' AND series_id >= %(low)s AND series_id < %(high)s
) AS raw
