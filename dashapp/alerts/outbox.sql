-- The outbox: who sends what next, and what became of it.

-- name: drop_overtaken
-- A firing that nobody got, and its resolved with it. Where an attempt may have arrived, its resolved is sent all the same.
WITH overtaken AS (
    SELECT f.id, f.maybe_sent, r.id AS resolved
    FROM alert_deliveries f
    JOIN alert_deliveries r ON r.incident = f.incident AND r.stream = f.stream AND r.status = 'resolved' AND r.state = 'pending'
    WHERE f.status = 'firing' AND f.state = 'pending' AND (f.claimed_until IS NULL OR f.claimed_until < clock_timestamp())
    FOR UPDATE OF f SKIP LOCKED
)
UPDATE alert_deliveries d SET state = 'dropped', claimed_until = NULL,
    error = concat_ws(' ', 'resolved before it could be delivered.', d.error)
FROM overtaken o
WHERE d.id = o.id OR (d.id = o.resolved AND NOT o.maybe_sent)

-- name: claim
-- In order within a stream. What is muted waits; a resolved whose firing was sent is never muted.
WITH picked AS (
    SELECT d.id, d.maybe_sent
    FROM alert_deliveries d
    JOIN alert_events e ON e.id = d.event_id
    WHERE d.state = 'pending' AND d.next_attempt_at <= clock_timestamp()
        AND (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp())
        AND NOT EXISTS (SELECT FROM alert_deliveries p WHERE p.stream = d.stream AND p.state = 'pending' AND p.n < d.n)
        AND (d.status = 'resolved' OR NOT (
            EXISTS (SELECT FROM alert_rules r WHERE r.id = e.rule_id AND r.paused_until > clock_timestamp())
            OR EXISTS (
                SELECT FROM alert_silences s
                WHERE s.starts_at <= clock_timestamp() AND s.ends_at > clock_timestamp()
                    AND (s.rule_id IS NULL OR s.rule_id = e.rule_id) AND (s.severity IS NULL OR s.severity = e.severity)
                    AND e.tags @> s.tags
            )
        ))
    ORDER BY d.next_attempt_at, d.n
    LIMIT %(limit)s
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE alert_deliveries d SET claimed_until = clock_timestamp() + %(lease)s, attempts = d.attempts + 1, maybe_sent = true,
    first_attempt_at = coalesce(d.first_attempt_at, clock_timestamp())
FROM picked
JOIN alert_events e ON e.id = (SELECT event_id FROM alert_deliveries WHERE id = picked.id)
WHERE d.id = picked.id
RETURNING d.id, d.type, d.target, d.attempts, picked.maybe_sent, e.rule_id, e.rule_name, e.severity, e.summary, e.incident, e.status,
    e.reason, e.value, e.tags, e.triggered_at, e.resolved_at

-- name: sent
UPDATE alert_deliveries SET state = 'sent', sent_at = clock_timestamp(), claimed_until = NULL, error = NULL WHERE id = %(id)s

-- name: failed
UPDATE alert_deliveries SET claimed_until = NULL, error = %(error)s, maybe_sent = %(maybe_sent)s,
    next_attempt_at = clock_timestamp() + %(wait)s,
    state = CASE WHEN first_attempt_at < clock_timestamp() - %(give_up)s::interval THEN 'dead' ELSE state END
WHERE id = %(id)s AND state = 'pending'
