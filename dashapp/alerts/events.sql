-- Events and the outbox, written in one transaction with the state that they tell of.

-- name: tell
-- Ids follow from what is told, so that telling twice changes nothing. A resolved goes to the channels that its firing went to.
WITH given AS (
    SELECT * FROM unnest(%(incidents)s::uuid[], %(rules)s::uuid[], %(tags)s::text[], %(statuses)s::text[], %(reasons)s::text[],
        %(values)s::float8[], %(triggered)s::timestamptz[], %(resolved)s::timestamptz[], %(notify)s::boolean[])
        WITH ORDINALITY AS g (incident, rule, tags, status, reason, value, triggered, resolved, notify, o)
),
told AS (
    INSERT INTO alert_events (id, rule_id, rule_name, severity, summary, incident, status, reason, value, tags, triggered_at, resolved_at)
    SELECT md5(g.incident::text || g.status)::uuid, g.rule, coalesce(f.rule_name, r.name), coalesce(f.severity, r.severity),
        coalesce(f.summary, %(summaries)s::jsonb ->> g.rule::text, ''), g.incident, g.status, g.reason, g.value, g.tags::jsonb,
        g.triggered, g.resolved
    FROM given g
    JOIN alert_rules r ON r.id = g.rule
    LEFT JOIN alert_events f ON f.incident = g.incident AND f.status = 'firing'
    ORDER BY g.o
    ON CONFLICT (incident, status) DO NOTHING
    RETURNING id, incident, status
),
ended AS (
    UPDATE alert_events e SET resolved_at = g.resolved
    FROM given g WHERE g.status = 'resolved' AND e.incident = g.incident AND e.status = 'firing'
)
INSERT INTO alert_deliveries (id, stream, event_id, incident, status, type, target)
SELECT md5(new.event_id::text || new.type || new.target)::uuid, new.stream, new.event_id, new.incident, new.status, new.type, new.target
FROM (
    SELECT g.o, told.id AS event_id, told.incident, told.status, r.notification ->> 'type' AS type, r.notification ->> 'target' AS target,
        md5(g.rule::text || g.tags::jsonb::text || r.notification::text)::uuid AS stream
    FROM told
    JOIN given g USING (incident, status)
    JOIN alert_rules r ON r.id = g.rule
    WHERE told.status = 'firing' AND g.notify AND r.notification IS NOT NULL
    UNION ALL
    SELECT g.o, told.id, told.incident, told.status, d.type, d.target, d.stream
    FROM told
    JOIN given g USING (incident, status)
    JOIN alert_deliveries d ON d.incident = told.incident AND d.status = 'firing' AND d.state IN ('pending', 'sent')
    WHERE told.status = 'resolved'
) AS new
ORDER BY new.o
ON CONFLICT (id) DO NOTHING

-- name: history
SELECT e.id, e.rule_id, e.rule_name, e.severity, e.incident, e.status, e.reason, e.value, e.tags, e.triggered_at, e.resolved_at,
    count(*) OVER () AS total
FROM alert_events e
WHERE (%(rule)s::uuid IS NULL OR e.rule_id = %(rule)s)
    AND (%(status)s::text IS NULL OR e.status = %(status)s)
    AND (%(severity)s::text IS NULL OR e.severity = %(severity)s)
    AND (%(from)s::timestamptz IS NULL OR coalesce(e.resolved_at, 'infinity') >= %(from)s)
    AND (%(to)s::timestamptz IS NULL OR e.triggered_at < %(to)s)
ORDER BY CASE e.status WHEN 'firing' THEN e.triggered_at ELSE e.resolved_at END DESC, e.n DESC
LIMIT %(limit)s OFFSET %(offset)s

-- name: prune
-- Deliveries go with their events.
DELETE FROM alert_events WHERE id IN (
    SELECT id FROM alert_events WHERE triggered_at < %(before)s AND resolved_at < %(before)s ORDER BY triggered_at LIMIT %(limit)s
)

-- name: firing_periods
-- Of rules that watch these metrics, the newest first. A tag that the rule filters by holds for all its instances.
SELECT r.query, r.tags || e.tags AS tags, e.rule_name, e.severity, e.triggered_at, e.resolved_at
FROM alert_events e
JOIN alert_rules r ON r.id = e.rule_id
WHERE e.status = 'firing' AND r.query = ANY(%(metrics)s::text[])
    AND e.triggered_at < %(to)s AND (e.resolved_at IS NULL OR e.resolved_at >= %(from)s)
ORDER BY e.triggered_at DESC
LIMIT 500

-- name: active
-- What isn't ok, the most urgent first: instances, and rules that have none or can't be judged. With `resolved`, last what fired
-- within a day and is well.
SELECT r.id AS rule_id, r.name AS rule_name, r.query, r.severity, r.tags || a.tags AS tags, a.state, a.since, a.value,
    r.paused_until > now() IS TRUE OR EXISTS (
        SELECT FROM alert_silences s
        WHERE s.starts_at <= now() AND s.ends_at > now() AND (s.rule_id IS NULL OR s.rule_id = r.id)
            AND (s.severity IS NULL OR s.severity = r.severity) AND r.tags || a.tags @> s.tags
    ) AS muted
FROM alert_rules r
CROSS JOIN LATERAL (
    SELECT i.tags, CASE WHEN i.state IN ('firing', 'pending') THEN i.state ELSE 'nodata' END AS state,
        CASE WHEN i.state IN ('firing', 'pending') THEN i.since ELSE i.seen_since END AS since, i.value
    FROM alert_instances i WHERE i.rule_id = r.id AND (i.state IN ('firing', 'pending') OR i.seen = 'nodata')
    UNION ALL
    SELECT '{}', 'error', r.error_since, NULL WHERE r.error IS NOT NULL
    UNION ALL
    SELECT '{}', 'nodata', r.effective_at, NULL
    WHERE r.error IS NULL AND NOT EXISTS (SELECT FROM alert_instances i WHERE i.rule_id = r.id)
    UNION ALL
    SELECT * FROM (
        SELECT DISTINCT ON (e.tags) e.tags, 'resolved', e.resolved_at, e.value
        FROM alert_events e
        WHERE %(resolved)s AND e.rule_id = r.id AND e.status = 'resolved' AND e.resolved_at > now() - interval '1 day'
        ORDER BY e.tags, e.resolved_at DESC
    ) AS ended
    WHERE NOT EXISTS (
        SELECT FROM alert_instances i WHERE i.rule_id = r.id AND i.tags = ended.tags AND i.state IN ('firing', 'pending')
    )
) AS a
WHERE r.enabled
ORDER BY array_position(ARRAY['firing', 'pending', 'error', 'nodata', 'resolved'], a.state),
    array_position(ARRAY['critical', 'warning', 'info'], r.severity), a.since DESC, r.name, a.tags::text
LIMIT 500

-- name: known_rule
SELECT FROM alert_rules WHERE id = %(rule)s UNION ALL SELECT FROM alert_events WHERE rule_id = %(rule)s LIMIT 1

-- name: deliveries
SELECT d.event_id, d.id, d.type, d.target, d.attempts, d.sent_at, d.error,
    CASE WHEN d.state = 'pending' THEN d.next_attempt_at END AS next_attempt_at,
    CASE WHEN d.state = 'pending' AND d.status = 'firing' AND (
        EXISTS (SELECT FROM alert_rules r WHERE r.id = e.rule_id AND r.paused_until > now()) OR EXISTS (
            SELECT FROM alert_silences s
            WHERE s.starts_at <= now() AND s.ends_at > now() AND (s.rule_id IS NULL OR s.rule_id = e.rule_id)
                AND (s.severity IS NULL OR s.severity = e.severity) AND e.tags @> s.tags
        )
    ) THEN 'muted' ELSE d.state END AS state
FROM alert_deliveries d
JOIN alert_events e ON e.id = d.event_id
WHERE d.event_id = ANY(%(ids)s)
ORDER BY d.n
