-- name: list
SELECT *, starts_at <= now() AND ends_at > now() AS active, count(*) OVER () AS total
FROM alert_silences
WHERE %(expired)s OR ends_at > now()
ORDER BY created_at DESC, id
LIMIT %(limit)s OFFSET %(offset)s

-- name: get
SELECT *, starts_at <= now() AND ends_at > now() AS active FROM alert_silences WHERE id = %(id)s

-- name: add
INSERT INTO alert_silences (rule_id, tags, severity, starts_at, ends_at, reason, owner_id, created_by)
VALUES (%(rule_id)s, %(tags)s, %(severity)s, coalesce(%(starts_at)s, now()), %(ends_at)s, %(reason)s, %(owner_id)s, %(created_by)s)
RETURNING id

-- name: delete
DELETE FROM alert_silences WHERE id = %(id)s RETURNING reason
