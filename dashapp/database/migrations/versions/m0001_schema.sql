-- The schema of dashapp 0.1, but for what differs between storage tiers. Frozen: change it with a new migration.

-- Accounts ------------------------------------------------------------------------------------------------------
CREATE TABLE users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         text NOT NULL,
    password_hash text,
    role          text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

-- Only SHA-256 hashes of secrets are stored: whoever reads this table can't sign in with it.
CREATE TABLE sessions (
    id_hash      bytea PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    user_agent   text NOT NULL DEFAULT '',
    address      text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);

CREATE TABLE signin_links (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE TABLE tokens (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    scope        text NOT NULL CHECK (scope IN ('ingest', 'read', 'write')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX tokens_user_id_idx ON tokens (user_id);

-- Metrics -------------------------------------------------------------------------------------------------------
-- One row, written by m0001_<tier>.sql: chosen once, by what the first migration's server can do. It never flips.
CREATE TABLE storage (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    tier       text NOT NULL CHECK (tier IN ('postgres', 'timescaledb', 'citus')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE metrics (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    type        text CHECK (type IN ('gauge', 'counter')),
    unit        text,
    description text,
    -- Raised whenever history changes, so that caches and pages know to read it again.
    generation  bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE series (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric_id  bigint NOT NULL REFERENCES metrics,
    tags       jsonb NOT NULL,
    -- SHA-256 of the canonical tags: an index over the tags themselves refuses long ones.
    tags_hash  bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (metric_id, tags_hash)
);
CREATE INDEX series_tags_idx ON series USING gin (tags jsonb_path_ops);

-- Up to where dashapp's own refresh stands.
CREATE TABLE rollup_watermarks (
    level     text PRIMARY KEY CHECK (level IN ('1min', '1hour')),
    watermark timestamptz NOT NULL
);
INSERT INTO rollup_watermarks VALUES ('1min', date_trunc('hour', now())), ('1hour', date_trunc('hour', now()));

-- What each level still holds: everything at or after its horizon. Ingest reads the raw one FOR SHARE.
CREATE TABLE retention_horizons (
    level   text PRIMARY KEY CHECK (level IN ('raw', '1min', '1hour')),
    horizon timestamptz NOT NULL
);
INSERT INTO retention_horizons SELECT level, '1970-01-01 UTC' FROM unnest(ARRAY['raw', '1min', '1hour']) AS level;

-- Append-only, no key: an ignored insert beside a running refresh would lose a point for ever.
-- series_id NULL: all series of that minute. Else: that series in that hour.
CREATE TABLE rollup_dirty (
    bucket    timestamptz NOT NULL,
    series_id bigint
);

-- Dashboards ----------------------------------------------------------------------------------------------------
CREATE TABLE dashboards (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    owner_id    uuid NOT NULL REFERENCES users,
    is_public   boolean NOT NULL DEFAULT false,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dashboards_owner_id_idx ON dashboards (owner_id);

CREATE TABLE panels (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    title        text NOT NULL,
    type         text NOT NULL,
    query        text NOT NULL,
    options      jsonb NOT NULL DEFAULT '{}',
    x            smallint NOT NULL CHECK (x BETWEEN 0 AND 11),
    y            integer NOT NULL CHECK (y >= 0),
    w            smallint NOT NULL CHECK (w BETWEEN 1 AND 12),
    h            smallint NOT NULL CHECK (h BETWEEN 1 AND 8),
    CHECK (x + w <= 12)
);
CREATE INDEX panels_dashboard_id_idx ON panels (dashboard_id);

-- Examples that were loaded once. The row outlives the dashboard, so that a deleted example stays deleted.
CREATE TABLE loaded_examples (
    name      text PRIMARY KEY,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

-- Alerts --------------------------------------------------------------------------------------------------------
CREATE TABLE alert_rules (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner_id     uuid REFERENCES users ON DELETE SET NULL,
    name         text NOT NULL,
    query        text NOT NULL,
    condition    text NOT NULL CHECK (condition IN ('gt', 'gte', 'lt', 'lte', 'eq', 'ne')),
    threshold    double precision NOT NULL,
    duration     interval NOT NULL DEFAULT '0',
    severity     text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    enabled      boolean NOT NULL DEFAULT true,
    notification jsonb,
    aggregation  text NOT NULL DEFAULT 'avg',
    function     text,
    tags         jsonb NOT NULL DEFAULT '{}',
    group_by     text[] NOT NULL DEFAULT '{}',
    step         interval NOT NULL DEFAULT '10 seconds',
    no_data      text NOT NULL DEFAULT 'keep' CHECK (no_data IN ('keep', 'ok', 'alert')),
    version      integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);

-- State lives here and not in memory: a restart loses no pending time.
CREATE TABLE alert_instances (
    rule_id       uuid NOT NULL REFERENCES alert_rules ON DELETE CASCADE,
    tags_hash     bytea NOT NULL,
    tags          jsonb NOT NULL,
    state         text NOT NULL CHECK (state IN ('ok', 'pending', 'firing')),
    since         timestamptz NOT NULL,
    pending_since timestamptz,
    last_tick     timestamptz NOT NULL,
    value         double precision,
    rule_version  integer NOT NULL,
    PRIMARY KEY (rule_id, tags_hash)
);

-- Events outlive their rule.
CREATE TABLE alert_events (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    rule_id      uuid NOT NULL,
    rule_name    text NOT NULL,
    incident     uuid NOT NULL,
    status       text NOT NULL CHECK (status IN ('firing', 'resolved')),
    reason       text,
    value        double precision,
    tags         jsonb NOT NULL DEFAULT '{}',
    triggered_at timestamptz NOT NULL,
    resolved_at  timestamptz,
    UNIQUE (incident, status)
);
CREATE INDEX alert_events_rule_id_idx ON alert_events (rule_id, triggered_at DESC);
CREATE INDEX alert_events_triggered_at_idx ON alert_events (triggered_at DESC);

-- Jobs ----------------------------------------------------------------------------------------------------------
CREATE TABLE leases (
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    epoch      bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE job_runs (
    name        text PRIMARY KEY,
    finished_at timestamptz NOT NULL,
    seconds     double precision NOT NULL,
    error       text
);
