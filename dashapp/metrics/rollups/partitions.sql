-- name: list
-- Bounds are read back as text; the connection's time zone is UTC.
SELECT parent.relname AS parent, part.relname AS name, bounds[1]::timestamptz AS lower, bounds[2]::timestamptz AS upper
FROM pg_inherits
JOIN pg_class parent ON parent.oid = inhparent
JOIN pg_class part ON part.oid = inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(part.relpartbound, part.oid), $$FROM \('(.+)'\) TO \('(.+)'\)$$) AS bounds
WHERE parent.oid = ANY(%(parents)s::regclass[])
ORDER BY parent.relname, lower
