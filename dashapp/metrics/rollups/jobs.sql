-- name: record
INSERT INTO job_runs (name, finished_at, seconds, error) VALUES (%(name)s, clock_timestamp(), %(seconds)s, %(error)s)
ON CONFLICT (name) DO UPDATE SET finished_at = EXCLUDED.finished_at, seconds = EXCLUDED.seconds, error = EXCLUDED.error
