-- The tier timescaledb: a hypertable, continuous aggregates that answer up to the newest sample, and TimescaleDB's policies.
INSERT INTO storage (tier) VALUES ('timescaledb');

CREATE TABLE metrics_raw (
    time      timestamptz NOT NULL,
    series_id bigint NOT NULL,
    value     double precision NOT NULL,
    PRIMARY KEY (series_id, time)
);
SELECT create_hypertable('metrics_raw', by_range('time', interval '1 day'), create_default_indexes => false);
CREATE INDEX metrics_raw_time_idx ON metrics_raw USING brin (time) WITH (pages_per_range = 16, autosummarize = on);
ALTER TABLE metrics_raw SET (
    timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time'
);

CREATE MATERIALIZED VIEW metrics_1min
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '1 day') AS
SELECT time_bucket('1 minute', time) AS bucket, series_id, sum(value) AS sum, count(*) AS count, min(value) AS min,
    max(value) AS max, first(value, time) AS first, last(value, time) AS last
FROM metrics_raw
GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW metrics_1hour
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '30 days') AS
SELECT time_bucket('1 hour', bucket) AS bucket, series_id, sum(sum) AS sum, sum(count)::bigint AS count, min(min) AS min,
    max(max) AS max, first(first, bucket) AS first, last(last, bucket) AS last
FROM metrics_1min
GROUP BY 1, 2
WITH NO DATA;

-- Whether a series has rows at all is asked of these names on every tier.
CREATE VIEW rollup_1min AS SELECT * FROM metrics_1min;
CREATE VIEW rollup_1hour AS SELECT * FROM metrics_1hour;

-- dashapp's own job refreshes and drops first; the policies are the backstop. What depends on the retention settings
-- (`start_offset`, `drop_after`) is set anew by dashapp.metrics.rollups.policies.
CALL add_columnstore_policy('metrics_raw', after => interval '1 day');
SELECT add_continuous_aggregate_policy(
    'metrics_1min', start_offset => interval '7 days', end_offset => interval '2 minutes', schedule_interval => interval '1 minute'
);
SELECT add_continuous_aggregate_policy(
    'metrics_1hour', start_offset => interval '7 days', end_offset => interval '12 minutes', schedule_interval => interval '10 minutes'
);
SELECT add_retention_policy('metrics_raw', drop_after => interval '10 days');
SELECT add_retention_policy('metrics_1min', drop_after => interval '33 days');
SELECT add_retention_policy('metrics_1hour', drop_after => interval '368 days');
