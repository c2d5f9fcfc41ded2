-- name: horizon
-- Holds off the job that advances the horizon or deletes series until this transaction has ended. The row is written
-- anew whenever series were deleted, so that its xmin tells whether remembered ids still stand. Sets the transaction up as
-- well: TimescaleDB would refuse to correct many series in a compressed chunk. Elsewhere the setting means nothing.
SELECT horizon, xmin::text AS epoch, set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)
FROM retention_horizons WHERE level = 'raw' FOR SHARE

-- name: upsert
INSERT INTO metrics_raw (series_id, time, value)
SELECT * FROM unnest(%(series)s::bigint[], %(times)s::timestamptz[], %(values)s::float8[])
ON CONFLICT (series_id, time) DO UPDATE SET value = EXCLUDED.value

-- name: raise_generations
-- Locked in one order for all writers, so that they don't deadlock. Caches are told with the commit.
WITH raised AS (
    UPDATE metrics SET generation = generation + 1
    FROM (SELECT id FROM metrics WHERE name = ANY(%(names)s) ORDER BY id FOR NO KEY UPDATE) AS touched
    WHERE metrics.id = touched.id
    RETURNING name, generation
)
SELECT pg_notify('dashapp', format('generations %%s %%s', name, generation)) FROM raised
