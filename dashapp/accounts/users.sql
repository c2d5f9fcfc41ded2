-- name: accounts
SELECT u.id, u.email, u.role, u.created_at, u.disabled_at IS NOT NULL AS disabled, u.password_hash IS NOT NULL AS has_password,
    (SELECT max(s.last_seen_at) FROM sessions s WHERE s.user_id = u.id) AS last_seen_at,
    (SELECT count(*) FROM dashboards d WHERE d.owner_id = u.id AND d.deleted_at IS NULL) AS dashboards,
    (SELECT count(*) FROM tokens t WHERE t.user_id = u.id) AS tokens
FROM users u
WHERE %(id)s::uuid IS NULL OR u.id = %(id)s
ORDER BY lower(u.email)

-- name: lock_users
-- Changes of who is an admin follow each other, so that one always stays.
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE

-- name: change_user
UPDATE users SET
    role = coalesce(%(role)s, role),
    disabled_at = CASE WHEN %(disabled)s::boolean IS NULL THEN disabled_at WHEN %(disabled)s THEN coalesce(disabled_at, now()) END,
    password_hash = CASE WHEN %(set_password)s THEN %(password_hash)s ELSE password_hash END,
    updated_at = now()
WHERE id = %(id)s
RETURNING id

-- name: count_admins
SELECT count(*) AS n FROM users WHERE role = 'admin' AND disabled_at IS NULL

-- name: give_dashboards
UPDATE dashboards SET owner_id = %(to)s, version = version + 1, updated_at = now() WHERE owner_id = %(id)s

-- name: give_rules
UPDATE alert_rules SET owner_id = %(to)s WHERE owner_id = %(id)s

-- name: delete_dashboards
DELETE FROM dashboards WHERE owner_id = %(id)s

-- name: delete_user
DELETE FROM users WHERE id = %(id)s RETURNING email

-- name: audit_entries
SELECT id, at, actor_id, actor, token, address, request_id, action, target_id, target, details
FROM audit_log
WHERE (%(actor)s::text IS NULL OR lower(actor) = lower(%(actor)s)) AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (%(target_id)s::text IS NULL OR target_id = %(target_id)s)
ORDER BY at DESC, id DESC
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_audit_entries
SELECT count(*) AS total
FROM audit_log
WHERE (%(actor)s::text IS NULL OR lower(actor) = lower(%(actor)s)) AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (%(target_id)s::text IS NULL OR target_id = %(target_id)s)
