-- Rollups of counters: reset-aware increases by the minute and by the hour.
SELECT 1;
