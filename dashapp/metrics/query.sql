-- name: standing
-- What a question has to know first, in one round trip: what is held, up to where the rollups stand in tables of their
-- own, what of a counter's increases is kept, and the series by groups.
SELECT 'held' AS kind, level, horizon AS moment, NULL::text[] AS labels, NULL::bigint[] AS ids FROM retention_horizons
UNION ALL
SELECT 'rolled up', level, watermark, NULL, NULL FROM rollup_watermarks WHERE (SELECT tier FROM storage) = 'postgres'
UNION ALL
SELECT 'held', 'increase', since, NULL, NULL FROM counters JOIN metrics ON id = metric_id
WHERE name = %(counter)s AND after_series IS NULL
UNION ALL
SELECT 'group', '', NULL, labels, ids FROM (
{select}
) AS selected
ORDER BY labels

-- name: select
-- The series of a selection: one row for each combination of the tags that are grouped by.
SELECT ARRAY(
        SELECT s.tags ->> key FROM unnest(%(group_by)s::text[]) WITH ORDINALITY AS k (key, n) ORDER BY n
    ) AS labels,
    array_agg(s.id ORDER BY s.id) AS ids
FROM series s
WHERE s.metric_id = (SELECT id FROM metrics WHERE name = %(name)s) AND s.tags @> %(tags)s::jsonb {among}
GROUP BY 1
ORDER BY 1

-- name: among
-- Each of these tags has one of its values.
AND NOT EXISTS (
    SELECT FROM jsonb_each(%(among)s::jsonb) AS f (key, wanted) WHERE (f.wanted ? (s.tags ->> f.key)) IS NOT TRUE
)

-- Parts of the range: each gives (series_id, bucket, value, samples) for buckets of the step. {n} numbers the part.

-- name: part_metrics_raw
SELECT series_id, date_bin(%(step)s::interval, time, timestamptz 'epoch') AS bucket, value, 1.0::float8 AS samples
FROM metrics_raw
WHERE series_id = ANY(%(ids)s) AND time >= %(from{n})s AND time < %(to{n})s

-- name: part_metrics_1min
SELECT series_id, date_bin(%(step)s::interval, bucket, timestamptz 'epoch'), {column}, count::float8
FROM {relation}
WHERE series_id = ANY(%(ids)s) AND bucket >= %(from{n})s AND bucket < %(to{n})s

-- name: part_metrics_1hour
SELECT series_id, date_bin(%(step)s::interval, bucket, timestamptz 'epoch'), {column}, count::float8
FROM {relation}
WHERE series_id = ANY(%(ids)s) AND bucket >= %(from{n})s AND bucket < %(to{n})s

-- name: step_metrics_raw
-- These are parts of a range whose samples are compared with those before: (series_id, at, bucket, inside, first, last).
-- `inside` is what the row's own samples make; rows of any width add up.
SELECT series_id, time, date_bin(%(step)s::interval, time, timestamptz 'epoch'), 0::float8, value, value
FROM metrics_raw
WHERE series_id = ANY(%(ids)s) AND time >= %(from{n})s AND time < %(to{n})s

-- name: step_metrics_1min
SELECT series_id, bucket, date_bin(%(step)s::interval, bucket, timestamptz 'epoch'), last - first, first, last
FROM {relation}
WHERE series_id = ANY(%(ids)s) AND bucket >= %(from{n})s AND bucket < %(to{n})s

-- name: step_metrics_1hour
SELECT series_id, bucket, date_bin(%(step)s::interval, bucket, timestamptz 'epoch'), last - first, first, last
FROM {relation}
WHERE series_id = ANY(%(ids)s) AND bucket >= %(from{n})s AND bucket < %(to{n})s

-- name: step_increase_1min
SELECT series_id, bucket, date_bin(%(step)s::interval, bucket, timestamptz 'epoch'), increase, first, last
FROM {relation}
WHERE series_id = ANY(%(ids)s) AND bucket >= %(from{n})s AND bucket < %(to{n})s

-- name: step_increase_1hour
SELECT series_id, bucket, date_bin(%(step)s::interval, bucket, timestamptz 'epoch'), increase, first, last
FROM {relation}
WHERE series_id = ANY(%(ids)s) AND bucket >= %(from{n})s AND bucket < %(to{n})s

-- name: stepped
-- Each series' function by bucket, as a part of which every series is one sample. What lies before the start only says
-- what the first rows are compared with.
SELECT series_id, bucket, sum(inside + CASE WHEN neighbour >= bucket - %(reach)s::interval THEN {step} ELSE 0 END), 1.0::float8
FROM (
    SELECT series_id, at, bucket, inside, first, lag(last) OVER earlier AS before, lag(bucket) OVER earlier AS neighbour
    FROM ({parts}) AS part (series_id, at, bucket, inside, first, last)
    WINDOW earlier AS (PARTITION BY series_id ORDER BY at)
) AS compared
WHERE at >= %(start)s
GROUP BY series_id, bucket

-- name: grouped
-- {number} is what tells the cells' series apart.
SELECT {number} AS number, bucket, {aggregate} AS value, sum(samples) AS samples
FROM ({parts}) AS part (series_id, bucket, value, samples) {members}
GROUP BY 1, 2

-- name: frame
-- Cells as columns, in any order: sorting them here takes longer than all the rest.
SELECT string_agg(int8send(number), '') AS numbers, string_agg(timestamptz_send(bucket), '') AS times,
    string_agg(float8send(value), '') AS values, string_agg(float8send(samples), '') AS samples
FROM ({cells} LIMIT %(most)s) AS cell (number, bucket, value, samples)

-- name: newest_raw
SELECT max(newest.time) AS newest
FROM unnest(%(ids)s) AS member (series_id)
CROSS JOIN LATERAL (
    SELECT time FROM metrics_raw WHERE metrics_raw.series_id = member.series_id AND time >= %(since)s ORDER BY time DESC LIMIT 1
) AS newest

-- name: newest_rolled
SELECT max(newest.bucket) AS newest
FROM unnest(%(ids)s) AS member (series_id)
CROSS JOIN LATERAL (
    SELECT bucket FROM rollup_1hour WHERE rollup_1hour.series_id = member.series_id ORDER BY bucket DESC LIMIT 1
) AS newest
