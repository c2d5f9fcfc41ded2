-- name: reports
SELECT r.*, u.email AS owner FROM reports r LEFT JOIN users u ON u.id = r.owner_id
WHERE r.dashboard_id = %(dashboard_id)s
ORDER BY r.created_at, r.id

-- name: report
SELECT r.*, u.email AS owner FROM reports r LEFT JOIN users u ON u.id = r.owner_id
WHERE r.id = %(id)s

-- name: add
INSERT INTO reports (dashboard_id, owner_id, schedule, start, variables, emails, folder, keep, paused, next_at, try_at)
SELECT %(dashboard_id)s, %(owner_id)s, %(schedule)s, %(start)s, %(variables)s, %(emails)s, %(folder)s, %(keep)s, %(paused)s,
    %(next_at)s, %(next_at)s
RETURNING id

-- name: change
UPDATE reports SET owner_id = %(owner_id)s, schedule = %(schedule)s, start = %(start)s, variables = %(variables)s,
    emails = %(emails)s, folder = %(folder)s, keep = %(keep)s, paused = %(paused)s, updated_at = now(),
    next_at = coalesce(%(next_at)s, next_at), try_at = coalesce(%(next_at)s, try_at),
    attempts = CASE WHEN %(next_at)s::timestamptz IS NULL THEN attempts ELSE 0 END
WHERE id = %(id)s

-- name: delete
DELETE FROM reports WHERE id = %(id)s RETURNING dashboard_id

-- name: claim
-- One that is due, for one process: another may take it once its time is over, for then this one has died.
UPDATE reports SET attempts = attempts + 1, try_at = %(until)s
WHERE id = (
    SELECT r.id FROM reports r JOIN dashboards d ON d.id = r.dashboard_id
    WHERE NOT r.paused AND r.try_at <= %(now)s AND d.deleted_at IS NULL
    ORDER BY r.try_at, r.id
    LIMIT 1
    FOR UPDATE OF r SKIP LOCKED
)
RETURNING id

-- name: delivered
UPDATE reports SET last_at = %(now)s, error = NULL, error_at = NULL WHERE id = %(id)s

-- name: failed
UPDATE reports SET error = %(error)s, error_at = %(now)s WHERE id = %(id)s

-- name: try_again
UPDATE reports SET try_at = %(try_at)s WHERE id = %(id)s AND next_at = %(due)s

-- name: advance
-- Unless somebody set another time meanwhile. However many were missed, the next is the next.
UPDATE reports SET next_at = %(next_at)s, try_at = %(next_at)s, attempts = 0 WHERE id = %(id)s AND next_at = %(due)s
