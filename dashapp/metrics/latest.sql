-- Buckets of many selections in one statement. {relation} and {chosen} are filled in from below, all else is bound.

-- name: buckets
-- One row of columns: of each group its selection's number and its labels as JSON, of each bucket its group (from 1) and sums.
-- Selections find their series in one of three ways: all of the metric's; by the index over tags, where few ask for a metric; and
-- by one tag's value, where many do.
WITH selection AS MATERIALIZED (
    SELECT a.n, m.id AS metric_id, a.tags::jsonb AS tags, a.keys::jsonb AS keys, a.by_key, a.by_value
    FROM unnest(%(numbers)s, %(names)s::text[], %(tags)s::text[], %(keys)s::text[], %(by_keys)s::text[], %(by_values)s::text[])
        AS a (n, name, tags, keys, by_key, by_value)
    JOIN metrics m ON m.name = a.name
),
-- One equality for the planner to hash, whatever it thinks of the parts.
tagged AS MATERIALIZED (
    SELECT series.id, series.tags, series.metric_id || chr(1) || tag.key || chr(1) || tag.value AS mark
    FROM series
    CROSS JOIN LATERAL jsonb_each_text(series.tags) AS tag
    WHERE series.metric_id = ANY(ARRAY(SELECT DISTINCT metric_id FROM selection WHERE by_key IS NOT NULL))
        AND tag.key = ANY(ARRAY(SELECT DISTINCT by_key FROM selection WHERE by_key IS NOT NULL))
),
matched AS (
    SELECT selection.n, selection.keys, s.id, s.tags
    FROM selection
    JOIN series s ON s.metric_id = selection.metric_id
    WHERE selection.tags = '{}'
    UNION ALL
    SELECT selection.n, selection.keys, s.id, s.tags
    FROM selection
    CROSS JOIN LATERAL (
        SELECT id, tags FROM series WHERE series.tags @> selection.tags AND series.metric_id = selection.metric_id OFFSET 0
    ) AS s
    WHERE selection.tags <> '{}' AND selection.by_key IS NULL
    UNION ALL
    SELECT n, keys, id, tags
    FROM (
        SELECT selection.n, selection.keys, tagged.id, tagged.tags, selection.tags AS wanted
        FROM selection
        JOIN tagged ON tagged.mark = selection.metric_id || chr(1) || selection.by_key || chr(1) || selection.by_value
        WHERE selection.by_key IS NOT NULL
        OFFSET 0
    ) AS near
    WHERE tags @> wanted
),
member AS MATERIALIZED (
    SELECT dense_rank() OVER (ORDER BY n, labels) AS g, n, labels, id
    FROM (
        SELECT matched.n, matched.id, CASE WHEN matched.keys = '[]' THEN '{}' ELSE ARRAY(
                SELECT matched.tags ->> key FROM jsonb_array_elements_text(matched.keys) WITH ORDINALITY AS k (key, o) ORDER BY o
            ) END AS labels
        FROM matched
    ) AS labelled
),
bucketed AS MATERIALIZED (
    SELECT g, bucket, sum(total) AS total, sum(samples)::float8 AS samples, min(least) AS least, max(most) AS most
    FROM ({relation}) AS sample
    GROUP BY g, bucket
),
named AS (
    SELECT DISTINCT g, n, labels FROM member WHERE g IN (SELECT g FROM bucketed)
)
SELECT groups.*, buckets.*
FROM (
    SELECT coalesce(array_agg(n ORDER BY g), '{}') AS numbers,
        coalesce(array_agg(g ORDER BY g), '{}') AS gs,
        coalesce(array_agg(to_jsonb(labels)::text ORDER BY g), '{}') AS labels
    FROM named
) AS groups
CROSS JOIN (
    SELECT coalesce(array_agg(g ORDER BY g, bucket), '{}') AS g,
        coalesce(array_agg(bucket ORDER BY g, bucket), '{}') AS times,
        coalesce(array_agg(total ORDER BY g, bucket), '{}') AS total,
        coalesce(array_agg(samples ORDER BY g, bucket), '{}') AS samples,
        coalesce(array_agg(least ORDER BY g, bucket), '{}') AS least,
        coalesce(array_agg(most ORDER BY g, bucket), '{}') AS most
    FROM ({chosen}) AS bucket
) AS buckets

-- name: of_raw
SELECT member.g, date_bin(%(step)s::interval, r.time, timestamptz 'epoch') AS bucket,
    r.value AS total, 1 AS samples, r.value AS least, r.value AS most
FROM member
JOIN metrics_raw r ON r.series_id = member.id AND r.time >= %(from)s AND r.time < %(to)s

-- name: of_minutes
SELECT member.g, date_bin(%(step)s::interval, r.bucket, timestamptz 'epoch') AS bucket,
    r.sum AS total, r.count AS samples, r.min AS least, r.max AS most
FROM member
CROSS JOIN LATERAL (
    SELECT v.* FROM metrics_1min v WHERE v.series_id = member.id AND v.bucket >= %(from)s AND v.bucket < %(to)s
) AS r

-- name: all
SELECT * FROM bucketed

-- name: newest
SELECT DISTINCT ON (g) * FROM bucketed ORDER BY g, bucket DESC
