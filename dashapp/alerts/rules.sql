-- Rules with their present state, and their changes. {where} is one of the conditions named so.

-- name: rules
SELECT r.*, s.state, s.since, s.instance_count, s.silenced, count(*) OVER () AS total
FROM alert_rules r
CROSS JOIN LATERAL (
    SELECT count(*) AS instance_count,
        count(*) FILTER (WHERE i.state = 'firing') AS firing, min(i.since) FILTER (WHERE i.state = 'firing') AS firing_since,
        count(*) FILTER (WHERE i.state = 'pending') AS pending, min(i.since) FILTER (WHERE i.state = 'pending') AS pending_since,
        count(*) FILTER (WHERE i.seen = 'nodata') AS nodata, min(i.seen_since) FILTER (WHERE i.seen = 'nodata') AS nodata_since,
        max(i.since) AS ok_since
    FROM alert_instances i WHERE i.rule_id = r.id
) AS c
CROSS JOIN LATERAL (
    SELECT c.instance_count,
        CASE WHEN NOT r.enabled THEN 'disabled' WHEN c.firing > 0 THEN 'firing' WHEN c.pending > 0 THEN 'pending'
            WHEN r.error IS NOT NULL THEN 'error' WHEN c.nodata > 0 OR c.instance_count = 0 THEN 'nodata' ELSE 'ok' END AS state,
        CASE WHEN NOT r.enabled THEN r.effective_at WHEN c.firing > 0 THEN c.firing_since WHEN c.pending > 0 THEN c.pending_since
            WHEN r.error IS NOT NULL THEN r.error_since WHEN c.nodata > 0 OR c.instance_count = 0
            THEN coalesce(c.nodata_since, r.effective_at) ELSE c.ok_since END AS since,
        EXISTS (
            SELECT FROM alert_silences q
            WHERE q.starts_at <= now() AND q.ends_at > now() AND q.tags = '{}'
                AND (q.rule_id IS NULL OR q.rule_id = r.id) AND (q.severity IS NULL OR q.severity = r.severity)
        ) AS silenced
) AS s
{where}

-- name: where_id
WHERE r.id = %(id)s

-- name: where_listed
WHERE (%(pattern)s::text IS NULL OR r.name ILIKE %(pattern)s OR r.query ILIKE %(pattern)s)
    AND (%(states)s::text[] IS NULL OR s.state = ANY(%(states)s))
    AND (%(severities)s::text[] IS NULL OR r.severity = ANY(%(severities)s))
    AND (%(enabled)s::boolean IS NULL OR r.enabled = %(enabled)s)
ORDER BY array_position(ARRAY['firing', 'pending', 'error', 'nodata', 'ok', 'disabled'], s.state),
    array_position(ARRAY['critical', 'warning', 'info'], r.severity), lower(r.name), r.created_at, r.id
LIMIT %(limit)s OFFSET %(offset)s

-- name: instances
SELECT rule_id, tags, state, since, pending_since, seen, seen_since, value
FROM alert_instances
WHERE rule_id = ANY(%(ids)s)

-- name: raise_generation
-- Its lock makes changes and ticks follow each other. Open pages learn of it.
UPDATE alert_clock SET generation = generation + 1 RETURNING pg_notify('dashapp', 'alerts changed')

-- name: lock
SELECT version, name FROM alert_rules WHERE id = %(id)s FOR UPDATE

-- name: add
INSERT INTO alert_rules (owner_id, name, query, condition, threshold, duration, severity, enabled, notification, aggregation,
    function, tags, group_by, step, no_data, effective_at)
VALUES (%(owner_id)s, %(name)s, %(query)s, %(condition)s, %(threshold)s, %(duration)s, %(severity)s, %(enabled)s,
    %(notification)s, %(aggregation)s, %(function)s, %(tags)s, %(group_by)s, %(step)s, %(no_data)s, %(now)s)
RETURNING id

-- name: change
-- `anew`: it is another rule now, and only later ticks judge it.
UPDATE alert_rules SET
    name = %(name)s, query = %(query)s, condition = %(condition)s, threshold = %(threshold)s, duration = %(duration)s,
    severity = %(severity)s, enabled = %(enabled)s, notification = %(notification)s, aggregation = %(aggregation)s,
    function = %(function)s, tags = %(tags)s, group_by = %(group_by)s, step = %(step)s, no_data = %(no_data)s,
    version = version + 1, updated_at = now(),
    effective_at = CASE WHEN %(anew)s THEN %(now)s ELSE effective_at END,
    error = CASE WHEN %(anew)s THEN NULL ELSE error END, error_since = CASE WHEN %(anew)s THEN NULL ELSE error_since END
WHERE id = %(id)s

-- name: delete
DELETE FROM alert_rules WHERE id = %(id)s

-- name: pause
UPDATE alert_rules SET paused_until = %(until)s, updated_at = now(), version = version + 1 WHERE id = %(id)s RETURNING name

-- name: take_instances
DELETE FROM alert_instances WHERE rule_id = %(id)s RETURNING tags, state, since, incident, value

-- name: mark_example
INSERT INTO loaded_examples (name) VALUES (%(name)s) ON CONFLICT DO NOTHING RETURNING name
