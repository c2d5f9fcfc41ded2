-- name: any_admin
SELECT id, email, role, created_at FROM users WHERE role = 'admin' AND disabled_at IS NULL
ORDER BY lower(email) <> lower(%(email)s), created_at, id LIMIT 1

-- name: add_user
INSERT INTO users (email, password_hash, role) VALUES (%(email)s, %(password_hash)s, %(role)s)
ON CONFLICT (lower(email)) DO NOTHING
RETURNING id, email, role, created_at

-- name: user_by_email
SELECT id, email, role, created_at, password_hash, disabled_at FROM users WHERE lower(email) = lower(%(email)s)

-- name: open_user
SELECT id, email, role, created_at FROM users WHERE id = %(id)s AND disabled_at IS NULL

-- name: password_hash
SELECT password_hash FROM users WHERE id = %(id)s

-- name: set_password_hash
UPDATE users SET password_hash = %(password_hash)s, updated_at = now() WHERE id = %(id)s

-- name: delete_expired
WITH old_links AS (DELETE FROM signin_links WHERE expires_at < now()),
    old_entries AS (DELETE FROM audit_log WHERE at < now() - interval '2 years')
DELETE FROM sessions WHERE expires_at < now() OR ends_at < now()

-- name: delete_surplus_sessions
-- The least recently used make room for a new one.
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE user_id = %(user_id)s ORDER BY last_seen_at DESC, id OFFSET %(most)s
)

-- name: add_session
INSERT INTO sessions (id_hash, user_id, expires_at, ends_at, address, user_agent)
VALUES (%(id_hash)s, %(user_id)s, now() + %(idle)s, coalesce(now() + %(lifetime)s::interval, 'infinity'), %(address)s, %(user_agent)s)

-- name: session_user
-- The expiry slides, but a session that is used all the time is written once a minute only.
WITH seen AS (
    UPDATE sessions SET last_seen_at = now(), expires_at = now() + %(idle)s
    WHERE id_hash = ANY(%(id_hashes)s) AND least(expires_at, ends_at) > now() AND last_seen_at < now() - %(write_every)s
)
SELECT u.id, u.email, u.role, u.created_at, s.id_hash
FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id_hash = ANY(%(id_hashes)s) AND least(s.expires_at, s.ends_at) > now() AND u.disabled_at IS NULL

-- name: list_sessions
SELECT id, created_at, last_seen_at, least(expires_at, ends_at) AS expires_at, nullif(ends_at, 'infinity') AS ends_at,
    address, user_agent, id_hash = %(id_hash)s AS current
FROM sessions
WHERE user_id = %(user_id)s AND least(expires_at, ends_at) > now()
ORDER BY last_seen_at DESC, id

-- name: delete_session
DELETE FROM sessions AS s USING users AS u WHERE s.id_hash = %(id_hash)s AND u.id = s.user_id RETURNING u.id, u.email

-- name: delete_session_by_id
DELETE FROM sessions WHERE id = %(id)s AND user_id = %(user_id)s RETURNING id

-- name: delete_sessions
DELETE FROM sessions WHERE user_id = %(user_id)s AND id_hash IS DISTINCT FROM %(except)s

-- name: delete_signin_links
DELETE FROM signin_links WHERE user_id = %(user_id)s

-- name: add_signin_link
INSERT INTO signin_links (token_hash, user_id, expires_at) VALUES (%(token_hash)s, %(user_id)s, now() + %(valid)s)
RETURNING expires_at, (SELECT email FROM users WHERE id = user_id) AS email

-- name: redeem_signin_link
WITH link AS (DELETE FROM signin_links WHERE token_hash = %(token_hash)s RETURNING user_id, expires_at)
SELECT u.id, u.email, u.role, u.created_at FROM link JOIN users u ON u.id = link.user_id
WHERE link.expires_at > now() AND u.disabled_at IS NULL

-- name: add_token
INSERT INTO tokens (user_id, name, token_hash, scope, expires_at)
VALUES (%(user_id)s, %(name)s, %(token_hash)s, %(scope)s, now() + %(valid)s::interval)
RETURNING id, name, scope, created_at, expires_at, last_used_at

-- name: count_tokens
SELECT count(*) AS n FROM tokens WHERE user_id = %(user_id)s

-- name: list_tokens
SELECT id, name, scope, created_at, expires_at, last_used_at FROM tokens
WHERE user_id = %(user_id)s
ORDER BY created_at DESC, id

-- name: delete_token
DELETE FROM tokens WHERE id = %(id)s AND user_id = %(user_id)s RETURNING name

-- name: delete_tokens_named
DELETE FROM tokens WHERE user_id = %(user_id)s AND name = %(name)s AND scope = %(scope)s

-- name: token_user
WITH used AS (
    UPDATE tokens SET last_used_at = now()
    WHERE token_hash = %(token_hash)s AND (expires_at IS NULL OR expires_at > now())
        AND (last_used_at IS NULL OR last_used_at < now() - %(write_every)s)
)
SELECT u.id, u.email, u.role, u.created_at, t.scope, t.id AS token_id, t.name AS token
FROM tokens t JOIN users u ON u.id = t.user_id
WHERE t.token_hash = %(token_hash)s AND (t.expires_at IS NULL OR t.expires_at > now()) AND u.disabled_at IS NULL
