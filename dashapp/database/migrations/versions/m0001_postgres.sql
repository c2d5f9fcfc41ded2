-- The tier postgres: range partitions, rollup tables that the refresh job fills, and views that join them with the tail.
INSERT INTO storage (tier) VALUES ('postgres');

CREATE TABLE metrics_raw (
    time      timestamptz NOT NULL,
    series_id bigint NOT NULL,
    value     double precision NOT NULL,
    PRIMARY KEY (series_id, time)
) PARTITION BY RANGE (time);
CREATE INDEX metrics_raw_time_idx ON metrics_raw USING brin (time) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE rollup_1min (
    bucket    timestamptz NOT NULL,
    series_id bigint NOT NULL,
    sum       double precision NOT NULL,
    count     bigint NOT NULL,
    min       double precision NOT NULL,
    max       double precision NOT NULL,
    first     double precision NOT NULL,
    last      double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX rollup_1min_bucket_idx ON rollup_1min USING brin (bucket) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE rollup_1hour (LIKE rollup_1min, PRIMARY KEY (series_id, bucket)) PARTITION BY RANGE (bucket);
CREATE INDEX rollup_1hour_bucket_idx ON rollup_1hour USING brin (bucket) WITH (pages_per_range = 16, autosummarize = on);

-- Below the watermark the rollup stands; from it on, answers are aggregated from the finer level.
CREATE VIEW metrics_1min AS
SELECT bucket, series_id, sum, count, min, max, first, last
FROM rollup_1min
WHERE bucket < (SELECT watermark FROM rollup_watermarks WHERE level = '1min')
UNION ALL
SELECT date_bin('1 minute', time, timestamptz 'epoch'), series_id, sum(value), count(*), min(value), max(value),
    (array_agg(value ORDER BY time))[1], (array_agg(value ORDER BY time DESC))[1]
FROM metrics_raw
WHERE time >= (SELECT watermark FROM rollup_watermarks WHERE level = '1min')
GROUP BY 1, 2;

CREATE VIEW metrics_1hour AS
SELECT bucket, series_id, sum, count, min, max, first, last
FROM rollup_1hour
WHERE bucket < (SELECT watermark FROM rollup_watermarks WHERE level = '1hour')
UNION ALL
SELECT date_bin('1 hour', bucket, timestamptz 'epoch'), series_id, sum(sum), sum(count)::bigint, min(min), max(max),
    (array_agg(first ORDER BY bucket))[1], (array_agg(last ORDER BY bucket DESC))[1]
FROM metrics_1min
WHERE bucket >= (SELECT watermark FROM rollup_watermarks WHERE level = '1hour')
GROUP BY 1, 2;
