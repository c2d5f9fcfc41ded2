-- name: find
SELECT w.n, s.id
FROM unnest(%(names)s::text[], %(hashes)s::bytea[]) WITH ORDINALITY AS w (name, hash, n)
JOIN metrics m ON m.name = w.name
JOIN series s ON s.metric_id = m.id AND s.tags_hash = w.hash

-- name: count
SELECT count(*) AS series FROM series

-- name: make_metrics
-- In one order for all writers, so that they don't deadlock.
-- A name that says so makes a counter, whose increases are kept from its first sample on.
WITH made AS (
    INSERT INTO metrics (name, type)
    SELECT w.name, CASE WHEN w.name ~ '_(total|sum|count|bucket)$' THEN 'counter' END
    FROM (SELECT DISTINCT name FROM unnest(%(names)s::text[]) AS given (name)) AS w
    ORDER BY w.name
    ON CONFLICT (name) DO NOTHING
    RETURNING id, type
)
INSERT INTO counters (metric_id, since) SELECT id, timestamptz 'epoch' FROM made WHERE type = 'counter'

-- name: make_series
-- A writer that makes the same series at the same time is waited for; `find` sees its row afterwards.
INSERT INTO series (metric_id, tags, tags_hash)
SELECT m.id, w.tags::jsonb, w.hash
FROM unnest(%(names)s::text[], %(hashes)s::bytea[], %(tags)s::text[]) AS w (name, hash, tags)
JOIN metrics m ON m.name = w.name
ORDER BY m.id, w.hash
ON CONFLICT (metric_id, tags_hash) DO NOTHING
