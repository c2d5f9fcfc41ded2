-- Alerts: silences, the outbox of notifications, and what rules and instances lacked.
SELECT 1;
