-- name: minutes
INSERT INTO rollup_dirty (bucket) SELECT * FROM unnest(%(minutes)s::timestamptz[])

-- name: hours
INSERT INTO rollup_dirty (bucket, series_id) SELECT * FROM unnest(%(hours)s::timestamptz[], %(series)s::bigint[])
