-- name: list
-- Bounds are read back as text; the connection's time zone is UTC. Names that are no partitioned tables have none.
SELECT parent.relname AS parent, part.relname AS name, bounds[1]::timestamptz AS lower, bounds[2]::timestamptz AS upper
FROM pg_inherits
JOIN pg_class parent ON parent.oid = inhparent
JOIN pg_class part ON part.oid = inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(part.relpartbound, part.oid), $$FROM \('(.+)'\) TO \('(.+)'\)$$) AS bounds
WHERE parent.relkind = 'p' AND parent.relname = ANY(%(parents)s) AND pg_table_is_visible(parent.oid)
ORDER BY parent.relname, lower

-- name: parents
-- Which of these are partitioned tables: that is for the storage tier to say.
SELECT relname AS parent FROM pg_class WHERE relkind = 'p' AND relname = ANY(%(parents)s) AND pg_table_is_visible(oid)
