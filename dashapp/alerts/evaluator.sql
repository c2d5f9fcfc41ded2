-- What the evaluator reads and writes: whole columns, and only what changed.

-- name: clock
SELECT last_tick, generation FROM alert_clock

-- name: lock_clock
SELECT last_tick, generation FROM alert_clock FOR UPDATE

-- name: versions
SELECT coalesce(array_agg(id::text ORDER BY id), '{}') AS ids, coalesce(array_agg(version::bigint ORDER BY id), '{}') AS versions
FROM alert_rules WHERE enabled

-- name: rules
SELECT * FROM alert_rules WHERE id = ANY(%(ids)s::uuid[])

-- name: instances
SELECT coalesce(array_agg(rule_id::text ORDER BY rule_id, tags_hash), '{}') AS rules,
    coalesce(array_agg(tags::text ORDER BY rule_id, tags_hash), '{}') AS tags,
    coalesce(array_agg(state ORDER BY rule_id, tags_hash), '{}') AS states,
    coalesce(array_agg(since ORDER BY rule_id, tags_hash), '{}') AS since,
    coalesce(array_agg(coalesce(pending_since, 'epoch') ORDER BY rule_id, tags_hash), '{}') AS pending_since,
    coalesce(array_agg(seen ORDER BY rule_id, tags_hash), '{}') AS seen,
    coalesce(array_agg(seen_since ORDER BY rule_id, tags_hash), '{}') AS seen_since,
    coalesce(array_agg(coalesce(incident::text, '') ORDER BY rule_id, tags_hash), '{}') AS incidents
FROM alert_instances

-- name: write_instances
INSERT INTO alert_instances AS i (rule_id, tags_hash, tags, state, since, pending_since, last_tick, value, rule_version, seen,
    seen_since, incident)
SELECT * FROM unnest(%(rules)s::uuid[], %(hashes)s::bytea[], %(tags)s::jsonb[], %(states)s::text[], %(since)s::timestamptz[],
    %(pending_since)s::timestamptz[], %(ticks)s::timestamptz[], %(values)s::float8[], %(versions)s::int[], %(seen)s::text[],
    %(seen_since)s::timestamptz[], %(incidents)s::uuid[])
ON CONFLICT (rule_id, tags_hash) DO UPDATE SET
    state = EXCLUDED.state, since = EXCLUDED.since, pending_since = EXCLUDED.pending_since, last_tick = EXCLUDED.last_tick,
    value = EXCLUDED.value, rule_version = EXCLUDED.rule_version, seen = EXCLUDED.seen, seen_since = EXCLUDED.seen_since,
    incident = EXCLUDED.incident

-- name: delete_instances
DELETE FROM alert_instances i
USING unnest(%(rules)s::uuid[], %(hashes)s::bytea[]) AS gone (rule_id, tags_hash)
WHERE i.rule_id = gone.rule_id AND i.tags_hash = gone.tags_hash

-- name: write_errors
UPDATE alert_rules r SET error = w.error, error_since = CASE WHEN w.error IS NULL THEN NULL ELSE coalesce(r.error_since, %(tick)s) END
FROM unnest(%(rules)s::uuid[], %(errors)s::text[]) AS w (id, error)
WHERE r.id = w.id

-- name: write_unread
UPDATE alert_rules r SET error = w.error, error_since = coalesce(r.error_since, now())
FROM unnest(%(rules)s::uuid[], %(errors)s::text[]) AS w (id, error)
WHERE r.id = w.id AND r.error IS DISTINCT FROM w.error

-- name: move_clock
-- Open pages learn that something `moved`.
UPDATE alert_clock SET last_tick = %(tick)s RETURNING CASE WHEN %(moved)s THEN pg_notify('dashapp', 'alerts moved') END
