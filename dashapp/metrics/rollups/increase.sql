-- Increases of counters. What a sample adds to the one before it is a step; after a fall (a reset) the new value counts
-- whole. A first one has nothing before it and adds nothing.

-- name: minutes
-- The minutes of some samples. Answers which (series, hour) changed.
WITH written AS (
    INSERT INTO rollup_increase_1min AS r (bucket, series_id, increase, first, last)
    SELECT bucket, series_id, sum(CASE WHEN value >= before THEN value - before WHEN value < before THEN value ELSE 0 END),
        (array_agg(value ORDER BY time))[1], (array_agg(value ORDER BY time DESC))[1]
    FROM (
        SELECT series_id, bucket, time, value, lag(value) OVER (PARTITION BY series_id, bucket ORDER BY time) AS before
        FROM (SELECT *, date_bin('1 minute', time, timestamptz 'epoch') AS bucket FROM ({samples}) AS given) AS sample
        WHERE series_id >= %(low)s AND series_id < %(high)s
            AND series_id IN (SELECT s.id FROM counters JOIN series s USING (metric_id))
    ) AS compared
    GROUP BY 1, 2
    ON CONFLICT (series_id, bucket) DO UPDATE SET increase = EXCLUDED.increase, first = EXCLUDED.first, last = EXCLUDED.last
    WHERE (r.increase, r.first, r.last) IS DISTINCT FROM (EXCLUDED.increase, EXCLUDED.first, EXCLUDED.last)
    RETURNING r.series_id, r.bucket
), changed AS (
    SELECT DISTINCT series_id, date_bin('1 hour', bucket, timestamptz 'epoch') AS hour FROM written
)
SELECT array_agg(series_id ORDER BY series_id, hour) AS series, array_agg(hour ORDER BY series_id, hour) AS hours FROM changed

-- name: of_range
SELECT series_id, time, value FROM metrics_raw WHERE time >= %(from)s AND time < %(to)s

-- name: of_minutes
SELECT raw.series_id, raw.time, raw.value
FROM unnest(%(minutes)s::timestamptz[]) AS d (minute)
CROSS JOIN LATERAL (
    SELECT series_id, time, value FROM metrics_raw WHERE time >= d.minute AND time < d.minute + interval '1 minute'
) AS raw

-- name: of_hours
SELECT d.series_id, raw.time, raw.value
FROM unnest(%(series)s::bigint[], %(hours)s::timestamptz[]) AS d (series_id, hour)
CROSS JOIN LATERAL (
    SELECT time, value FROM metrics_raw
    WHERE metrics_raw.series_id = d.series_id AND time >= d.hour AND time < d.hour + interval '1 hour' AND time < %(to)s
) AS raw

-- name: hours
INSERT INTO rollup_increase_1hour AS r (bucket, series_id, increase, first, last)
SELECT hour, series_id,
    sum(increase + CASE WHEN first >= before THEN first - before WHEN first < before THEN first ELSE 0 END),
    (array_agg(first ORDER BY bucket))[1], (array_agg(last ORDER BY bucket DESC))[1]
FROM (
    SELECT series_id, hour, bucket, increase, first, last,
        lag(last) OVER (PARTITION BY series_id, hour ORDER BY bucket) AS before
    FROM ({minutes}) AS given (series_id, hour, bucket, increase, first, last)
) AS compared
GROUP BY 1, 2
ON CONFLICT (series_id, bucket) DO UPDATE SET increase = EXCLUDED.increase, first = EXCLUDED.first, last = EXCLUDED.last

-- name: minutes_from_to
SELECT series_id, date_bin('1 hour', bucket, timestamptz 'epoch'), bucket, increase, first, last
FROM rollup_increase_1min
WHERE bucket >= %(from)s AND bucket < %(to)s AND series_id >= %(low)s AND series_id < %(high)s
    AND series_id IN (SELECT s.id FROM counters JOIN series s USING (metric_id))

-- name: minutes_of_pairs
SELECT d.series_id, d.hour, m.bucket, m.increase, m.first, m.last
FROM unnest(%(series)s::bigint[], %(hours)s::timestamptz[]) AS d (series_id, hour)
CROSS JOIN LATERAL (
    SELECT bucket, increase, first, last FROM rollup_increase_1min
    WHERE rollup_increase_1min.series_id = d.series_id AND bucket >= d.hour AND bucket < d.hour + interval '1 hour'
) AS m

-- name: leave
-- Metrics that are counters no longer.
DELETE FROM counters USING metrics m WHERE m.id = metric_id AND m.type IS DISTINCT FROM 'counter'

-- name: join
-- Metrics that have become counters. What raw still holds is computed step by step; where nothing older was ever dropped,
-- that is all there is.
INSERT INTO counters (metric_id, since, after_series, after_hour)
SELECT m.id,
    CASE WHEN EXISTS (
        SELECT FROM series s
        CROSS JOIN LATERAL (SELECT FROM metrics_1hour r WHERE r.series_id = s.id AND r.bucket < %(horizon)s LIMIT 1) AS older
        WHERE s.metric_id = m.id
    ) THEN %(horizon)s ELSE timestamptz 'epoch' END,
    0, timestamptz 'epoch'
FROM metrics m
WHERE m.type = 'counter' AND NOT EXISTS (SELECT FROM counters c WHERE c.metric_id = m.id)
ON CONFLICT DO NOTHING

-- name: count
SELECT count(*) AS counters, count(after_series) AS pending FROM counters

-- name: take_pending
-- The next (series, hour) of one counter of which what was there before isn't computed yet.
SELECT metric_id, array_agg(series_id ORDER BY series_id, bucket) FILTER (WHERE bucket IS NOT NULL) AS series,
    array_agg(bucket ORDER BY series_id, bucket) FILTER (WHERE bucket IS NOT NULL) AS hours
FROM (
    SELECT c.metric_id, held.series_id, held.bucket
    FROM (SELECT * FROM counters WHERE after_series IS NOT NULL ORDER BY metric_id LIMIT 1) AS c
    LEFT JOIN LATERAL (
        SELECT s.id AS series_id, r.bucket
        FROM series s
        CROSS JOIN LATERAL (
            SELECT bucket FROM metrics_1hour
            WHERE series_id = s.id AND bucket >= %(from)s AND bucket < %(to)s AND (s.id > c.after_series OR bucket > c.after_hour)
            ORDER BY bucket LIMIT %(limit)s
        ) AS r
        WHERE s.metric_id = c.metric_id AND s.id >= c.after_series
        ORDER BY 1, 2 LIMIT %(limit)s
    ) AS held ON true
) AS next
GROUP BY metric_id

-- name: put_pending
UPDATE counters SET after_series = %(series)s, after_hour = %(hour)s WHERE metric_id = %(metric)s
