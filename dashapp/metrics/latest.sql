-- Buckets of many selections in one statement. {relation} and {chosen} are filled in from below, all else is bound.

-- name: buckets
-- One row of columns: of each group its selection's number and its labels as JSON, of each bucket its group (from 1) and sums.
WITH member AS MATERIALIZED (
    SELECT dense_rank() OVER (ORDER BY n, labels) AS g, n, labels, id
    FROM (
        SELECT selection.n, s.id, ARRAY(
                SELECT s.tags ->> key FROM jsonb_array_elements_text(selection.keys::jsonb) WITH ORDINALITY AS k (key, o) ORDER BY o
            ) AS labels
        FROM unnest(%(numbers)s, %(names)s::text[], %(tags)s::text[], %(keys)s::text[]) AS selection (n, name, tags, keys)
        JOIN metrics m ON m.name = selection.name
        JOIN series s ON s.metric_id = m.id AND s.tags @> selection.tags::jsonb
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
