-- name: list_dashboards
SELECT d.id, d.name, d.description, d.owner_id, d.is_public, d.version, d.created_at, d.updated_at,
    (SELECT count(*) FROM panels p WHERE p.dashboard_id = d.id AND p.deleted_at IS NULL) AS panel_count
FROM dashboards d
WHERE d.deleted_at IS NULL AND (d.is_public OR d.owner_id = %(user_id)s OR %(is_admin)s)
ORDER BY lower(d.name), d.created_at, d.id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_dashboards
SELECT count(*) AS total FROM dashboards
WHERE deleted_at IS NULL AND (is_public OR owner_id = %(user_id)s OR %(is_admin)s)

-- name: showing
SELECT d.id, d.name FROM dashboards d
WHERE d.deleted_at IS NULL AND (d.is_public OR d.owner_id = %(user_id)s OR %(is_admin)s)
    AND EXISTS (
        SELECT FROM panels p WHERE p.dashboard_id = d.id AND p.deleted_at IS NULL
            AND (p.query = %(metric)s OR p.options -> 'queries' @> jsonb_build_array(jsonb_build_object('query', %(metric)s::text)))
    )
ORDER BY lower(d.name), d.created_at, d.id
LIMIT 20

-- name: dashboard
SELECT id, name, description, owner_id, is_public, variables, version, created_at, updated_at FROM dashboards
WHERE id = %(id)s AND deleted_at IS NULL

-- name: owners
SELECT id, owner_id, is_public FROM dashboards WHERE id = ANY(%(ids)s) AND deleted_at IS NULL

-- name: lock_dashboard
SELECT version FROM dashboards WHERE id = %(id)s AND deleted_at IS NULL FOR UPDATE

-- name: panels
SELECT id, dashboard_id, title, type, query, options, x, y, w, h FROM panels
WHERE dashboard_id = %(id)s AND deleted_at IS NULL

-- name: panel
SELECT id, dashboard_id, title, type, query, options, x, y, w, h FROM panels
WHERE id = %(id)s AND deleted_at IS NULL

-- name: add_dashboard
INSERT INTO dashboards (id, name, description, owner_id, is_public, variables)
VALUES (coalesce(%(id)s, gen_random_uuid()), %(name)s, %(description)s, %(owner_id)s, %(is_public)s, %(variables)s)
RETURNING id

-- name: own_dashboards_named
SELECT id FROM dashboards WHERE owner_id = %(owner_id)s AND name = %(name)s ORDER BY created_at, id

-- name: change_dashboard
-- What isn't given stays; whatever changes raises the version.
UPDATE dashboards SET
    name = coalesce(%(name)s, name),
    description = coalesce(%(description)s, description),
    is_public = coalesce(%(is_public)s, is_public),
    variables = coalesce(%(variables)s, variables),
    version = version + 1, updated_at = now()
WHERE id = %(id)s

-- name: raise_version
UPDATE dashboards SET version = version + 1, updated_at = now() WHERE id = %(id)s

-- name: delete_dashboard
UPDATE dashboards SET deleted_at = now(), version = version + 1 WHERE id = %(id)s AND deleted_at IS NULL RETURNING name

-- name: deleted_dashboard
SELECT id, name, description, owner_id, is_public, variables, version, created_at, updated_at FROM dashboards
WHERE id = %(id)s AND deleted_at > now() - %(kept)s

-- name: restore_dashboard
UPDATE dashboards SET deleted_at = NULL, version = version + 1, updated_at = now()
WHERE id = %(id)s AND deleted_at > now() - %(kept)s
RETURNING id

-- name: purge_dashboards
DELETE FROM dashboards WHERE deleted_at <= now() - %(kept)s

-- name: purge_panels
DELETE FROM panels WHERE deleted_at <= now() - %(kept)s

-- name: add_panel
INSERT INTO panels (dashboard_id, title, type, query, options, x, y, w, h)
VALUES (%(dashboard_id)s, %(title)s, %(type)s, %(query)s, %(options)s, %(x)s, %(y)s, %(w)s, %(h)s)
RETURNING id, dashboard_id, title, type, query, options, x, y, w, h

-- name: change_panel
-- Column by column: options that this version can't read are kept unless new ones are given.
UPDATE panels SET
    title = coalesce(%(title)s, title),
    type = coalesce(%(type)s, type),
    query = coalesce(%(query)s, query),
    options = coalesce(%(options)s, options),
    x = coalesce(%(x)s, x), y = coalesce(%(y)s, y), w = coalesce(%(w)s, w), h = coalesce(%(h)s, h)
WHERE id = %(id)s
RETURNING id, dashboard_id, title, type, query, options, x, y, w, h

-- name: move_panels
UPDATE panels p SET x = l.x, y = l.y, w = l.w, h = l.h
FROM unnest(%(ids)s::uuid[], %(x)s::int[], %(y)s::int[], %(w)s::int[], %(h)s::int[]) AS l (id, x, y, w, h)
WHERE p.id = l.id AND p.dashboard_id = %(dashboard_id)s

-- name: delete_panel
UPDATE panels SET deleted_at = now() WHERE id = %(id)s RETURNING title

-- name: deleted_panel
SELECT id, dashboard_id, title, type, query, options, x, y, w, h FROM panels
WHERE id = %(id)s AND deleted_at > now() - %(kept)s

-- name: restore_panel
UPDATE panels SET deleted_at = NULL WHERE id = %(id)s AND deleted_at > now() - %(kept)s
RETURNING id, dashboard_id, title, type, query, options, x, y, w, h

-- name: first_panels
-- Each dashboard's first plot in reading order: over time where there is one.
SELECT DISTINCT ON (dashboard_id) id, dashboard_id, title, type, query, options, x, y, w, h FROM panels
WHERE dashboard_id = ANY(%(ids)s::uuid[]) AND deleted_at IS NULL AND query <> ''
ORDER BY dashboard_id, type NOT IN ('line', 'area', 'stat'), y, x, id

-- name: mark_example
INSERT INTO loaded_examples (name) VALUES (%(name)s) ON CONFLICT (name) DO NOTHING RETURNING name
