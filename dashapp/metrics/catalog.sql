-- name: search
SELECT name, type, unit, description
FROM metrics
WHERE name ILIKE %(pattern)s
ORDER BY NOT starts_with(lower(name), lower(%(q)s)), name
LIMIT %(limit)s

-- name: tags
SELECT tag.key, array_agg(DISTINCT tag.value ORDER BY tag.value) AS values
FROM series
CROSS JOIN LATERAL jsonb_each_text(series.tags) AS tag
WHERE series.metric_id = %(metric)s
GROUP BY tag.key
ORDER BY tag.key

-- name: update
UPDATE metrics SET
    type = CASE WHEN %(set_type)s THEN %(type)s ELSE type END,
    unit = CASE WHEN %(set_unit)s THEN %(unit)s ELSE unit END,
    description = CASE WHEN %(set_description)s THEN %(description)s ELSE description END
WHERE name = %(name)s
RETURNING name, type, unit, description

-- name: describe
-- Rows in the order of names, so that processes that start together don't deadlock. What a user set stays. A name that says
-- so makes a counter.
INSERT INTO metrics AS m (name, type, unit, description)
SELECT i.name, coalesce(i.type, CASE WHEN i.name ~ '_(total|sum|count|bucket)$' THEN 'counter' END), i.unit, i.description
FROM unnest(%(names)s::text[], %(types)s::text[], %(units)s::text[], %(descriptions)s::text[]) AS i (name, type, unit, description)
ORDER BY i.name
ON CONFLICT (name) DO UPDATE SET
    type = coalesce(m.type, EXCLUDED.type),
    unit = coalesce(m.unit, EXCLUDED.unit),
    description = coalesce(m.description, EXCLUDED.description)
WHERE (m.type IS NULL AND EXCLUDED.type IS NOT NULL)
    OR (m.unit IS NULL AND EXCLUDED.unit IS NOT NULL)
    OR (m.description IS NULL AND EXCLUDED.description IS NOT NULL)

-- name: describe_known
-- Locked in one order for all writers, so that they don't deadlock. What a user set stays.
UPDATE metrics AS m SET
    type = coalesce(m.type, i.type), unit = coalesce(m.unit, i.unit), description = coalesce(m.description, i.description)
FROM (
    SELECT k.id, n.type, n.unit, n.description
    FROM unnest(%(names)s::text[], %(types)s::text[], %(units)s::text[], %(descriptions)s::text[]) AS n (name, type, unit, description)
    JOIN metrics k ON k.name = n.name
    WHERE (k.type IS NULL AND n.type IS NOT NULL)
        OR (k.unit IS NULL AND n.unit IS NOT NULL)
        OR (k.description IS NULL AND n.description IS NOT NULL)
    ORDER BY k.id
    FOR NO KEY UPDATE OF k
) AS i
WHERE m.id = i.id
