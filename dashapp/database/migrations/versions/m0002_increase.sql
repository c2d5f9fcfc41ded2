-- Rollups of counters: what their samples grew by within a bucket, resets known, by the minute and by the hour.

-- Metrics whose increases are kept. A metric joins when it is made with a counter's name, or when the storage job sees
-- that its type has become one; then `after_series` and `after_hour` say how far the job has computed what was there
-- before. They are NULL once it is done.
CREATE TABLE counters (
    metric_id    bigint PRIMARY KEY REFERENCES metrics ON DELETE CASCADE,
    since        timestamptz NOT NULL,
    after_series bigint,
    after_hour   timestamptz
);

-- `increase` counts steps between samples of the same bucket only. The step into a bucket is made from `last` of the one
-- before and `first` of this one when it is asked for: so a late sample changes its own bucket alone, and rows of any
-- width add up to the same.
CREATE TABLE rollup_increase_1min (
    bucket    timestamptz NOT NULL,
    series_id bigint NOT NULL,
    increase  double precision NOT NULL,
    first     double precision NOT NULL,
    last      double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
) PARTITION BY RANGE (bucket);
CREATE INDEX rollup_increase_1min_bucket_idx ON rollup_increase_1min USING brin (bucket)
    WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE rollup_increase_1hour (LIKE rollup_increase_1min, PRIMARY KEY (series_id, bucket)) PARTITION BY RANGE (bucket);
CREATE INDEX rollup_increase_1hour_bucket_idx ON rollup_increase_1hour USING brin (bucket)
    WITH (pages_per_range = 16, autosummarize = on);

-- Below the watermark the rollup; from it on the finer rows as they are, because rows of any width add up:
-- there `bucket` is the moment of a sample.
CREATE VIEW increase_1min AS
SELECT bucket, series_id, increase, first, last
FROM rollup_increase_1min
WHERE bucket < (SELECT watermark FROM rollup_watermarks WHERE level = '1min')
UNION ALL
SELECT time, series_id, 0, value, value
FROM metrics_raw
WHERE time >= (SELECT watermark FROM rollup_watermarks WHERE level = '1min');

CREATE VIEW increase_1hour AS
SELECT bucket, series_id, increase, first, last
FROM rollup_increase_1hour
WHERE bucket < (SELECT watermark FROM rollup_watermarks WHERE level = '1hour')
UNION ALL
SELECT bucket, series_id, increase, first, last
FROM increase_1min
WHERE bucket >= (SELECT watermark FROM rollup_watermarks WHERE level = '1hour');

UPDATE metrics SET type = 'counter' WHERE type IS NULL AND name ~ '_(total|sum|count|bucket)$';
