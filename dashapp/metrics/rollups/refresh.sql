-- name: watermarks
SELECT level, watermark FROM rollup_watermarks FOR UPDATE

-- name: move_watermarks
UPDATE rollup_watermarks SET watermark = CASE level WHEN '1min' THEN %(minutes)s::timestamptz ELSE %(hours)s::timestamptz END

-- name: take_dirty_minutes
-- Rows of a writer that hasn't committed yet aren't seen, and stay for the next refresh.
WITH taken AS (
    DELETE FROM rollup_dirty WHERE series_id IS NULL RETURNING bucket
)
SELECT array_agg(DISTINCT bucket) AS minutes FROM taken

-- name: take_dirty_hours
WITH taken AS (
    DELETE FROM rollup_dirty
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM rollup_dirty WHERE series_id IS NOT NULL LIMIT %(limit)s))
    RETURNING series_id, bucket
), pairs AS (
    SELECT series_id, bucket, count(*) AS rows FROM taken GROUP BY series_id, bucket
)
SELECT array_agg(series_id ORDER BY series_id, bucket) AS series, array_agg(bucket ORDER BY series_id, bucket) AS hours,
    coalesce(sum(rows), 0)::bigint AS rows
FROM pairs

-- name: minutes_of_range
-- Everything that the watermark passes over. Series [low, high) only, as in each of these statements.
INSERT INTO rollup_1min AS r (bucket, series_id, sum, count, min, max, first, last)
SELECT date_bin('1 minute', time, timestamptz 'epoch'), series_id, sum(value), count(*), min(value), max(value),
    (array_agg(value ORDER BY time))[1], (array_agg(value ORDER BY time DESC))[1]
FROM metrics_raw
WHERE time >= %(from)s AND time < %(to)s AND series_id >= %(low)s AND series_id < %(high)s
GROUP BY 1, 2
ON CONFLICT (series_id, bucket) DO UPDATE SET
    sum = EXCLUDED.sum, count = EXCLUDED.count, min = EXCLUDED.min, max = EXCLUDED.max,
    first = EXCLUDED.first, last = EXCLUDED.last

-- name: minutes_of_minutes
-- All series of single minutes. Answers which (series, hour) changed.
WITH written AS (
    INSERT INTO rollup_1min AS r (bucket, series_id, sum, count, min, max, first, last)
    SELECT d.minute, raw.*
    FROM unnest(%(minutes)s::timestamptz[]) AS d (minute)
    CROSS JOIN LATERAL (
        SELECT series_id, sum(value), count(*), min(value), max(value),
            (array_agg(value ORDER BY time))[1], (array_agg(value ORDER BY time DESC))[1]
        FROM metrics_raw
        WHERE time >= d.minute AND time < d.minute + interval '1 minute' AND series_id >= %(low)s AND series_id < %(high)s
        GROUP BY series_id
    ) AS raw
    ON CONFLICT (series_id, bucket) DO UPDATE SET
        sum = EXCLUDED.sum, count = EXCLUDED.count, min = EXCLUDED.min, max = EXCLUDED.max,
        first = EXCLUDED.first, last = EXCLUDED.last
    WHERE (r.sum, r.count, r.min, r.max, r.first, r.last)
        IS DISTINCT FROM (EXCLUDED.sum, EXCLUDED.count, EXCLUDED.min, EXCLUDED.max, EXCLUDED.first, EXCLUDED.last)
    RETURNING r.series_id, r.bucket
), changed AS (
    SELECT DISTINCT series_id, date_bin('1 hour', bucket, timestamptz 'epoch') AS hour FROM written
)
SELECT array_agg(series_id ORDER BY series_id, hour) AS series, array_agg(hour ORDER BY series_id, hour) AS hours FROM changed

-- name: minutes_of_hours
-- Single hours of single series, up to the watermark. Answers which (series, hour) changed.
WITH written AS (
    INSERT INTO rollup_1min AS r (bucket, series_id, sum, count, min, max, first, last)
    SELECT raw.bucket, d.series_id, raw.sum, raw.count, raw.min, raw.max, raw.first, raw.last
    FROM unnest(%(series)s::bigint[], %(hours)s::timestamptz[]) AS d (series_id, hour)
    CROSS JOIN LATERAL (
        SELECT date_bin('1 minute', time, timestamptz 'epoch') AS bucket, sum(value) AS sum, count(*) AS count,
            min(value) AS min, max(value) AS max,
            (array_agg(value ORDER BY time))[1] AS first, (array_agg(value ORDER BY time DESC))[1] AS last
        FROM metrics_raw
        WHERE metrics_raw.series_id = d.series_id AND time >= d.hour AND time < d.hour + interval '1 hour' AND time < %(to)s
        GROUP BY 1
    ) AS raw
    WHERE d.series_id >= %(low)s AND d.series_id < %(high)s
    ON CONFLICT (series_id, bucket) DO UPDATE SET
        sum = EXCLUDED.sum, count = EXCLUDED.count, min = EXCLUDED.min, max = EXCLUDED.max,
        first = EXCLUDED.first, last = EXCLUDED.last
    WHERE (r.sum, r.count, r.min, r.max, r.first, r.last)
        IS DISTINCT FROM (EXCLUDED.sum, EXCLUDED.count, EXCLUDED.min, EXCLUDED.max, EXCLUDED.first, EXCLUDED.last)
    RETURNING r.series_id, r.bucket
), changed AS (
    SELECT DISTINCT series_id, date_bin('1 hour', bucket, timestamptz 'epoch') AS hour FROM written
)
SELECT array_agg(series_id ORDER BY series_id, hour) AS series, array_agg(hour ORDER BY series_id, hour) AS hours FROM changed

-- name: hours_of_range
INSERT INTO rollup_1hour AS r (bucket, series_id, sum, count, min, max, first, last)
SELECT date_bin('1 hour', bucket, timestamptz 'epoch'), series_id, sum(sum), sum(count)::bigint, min(min), max(max),
    (array_agg(first ORDER BY bucket))[1], (array_agg(last ORDER BY bucket DESC))[1]
FROM rollup_1min
WHERE bucket >= %(from)s AND bucket < %(to)s AND series_id >= %(low)s AND series_id < %(high)s
GROUP BY 1, 2
ON CONFLICT (series_id, bucket) DO UPDATE SET
    sum = EXCLUDED.sum, count = EXCLUDED.count, min = EXCLUDED.min, max = EXCLUDED.max,
    first = EXCLUDED.first, last = EXCLUDED.last

-- name: hours_of_hours
INSERT INTO rollup_1hour AS r (bucket, series_id, sum, count, min, max, first, last)
SELECT d.hour, d.series_id, minutes.*
FROM unnest(%(series)s::bigint[], %(hours)s::timestamptz[]) AS d (series_id, hour)
CROSS JOIN LATERAL (
    SELECT sum(sum), sum(count)::bigint, min(min), max(max),
        (array_agg(first ORDER BY bucket))[1], (array_agg(last ORDER BY bucket DESC))[1]
    FROM rollup_1min
    WHERE rollup_1min.series_id = d.series_id AND bucket >= d.hour AND bucket < d.hour + interval '1 hour'
    HAVING count(*) > 0
) AS minutes
ON CONFLICT (series_id, bucket) DO UPDATE SET
    sum = EXCLUDED.sum, count = EXCLUDED.count, min = EXCLUDED.min, max = EXCLUDED.max,
    first = EXCLUDED.first, last = EXCLUDED.last

-- name: series_beyond
SELECT coalesce(max(id), 0) + 1 AS beyond FROM series

-- name: describe
SELECT m.name || ' ' || s.tags::text AS text FROM series s JOIN metrics m ON m.id = s.metric_id WHERE s.id = %(series)s

-- name: raise_generations
-- What was committed late can be seen from now on. A row that a transaction of ingest holds isn't waited for: it may stay
-- open for long.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT metric_id AS id FROM series WHERE id = ANY(%(series)s)
), free AS (
    SELECT id FROM metrics
    WHERE id IN (SELECT id FROM wanted) AND id <> ALL(%(raised)s)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), raised AS (
    UPDATE metrics SET generation = generation + 1 FROM free WHERE metrics.id = free.id RETURNING metrics.id, name, generation
)
SELECT array_agg(raised.id) AS raised, (SELECT count(*) FROM wanted) AS wanted,
    count(pg_notify('dashapp', format('generations %%s %%s', name, generation))) AS told
FROM raised
