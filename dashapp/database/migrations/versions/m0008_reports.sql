-- Scheduled reports: a dashboard's snapshot, sent by mail and kept in a folder at set times.

CREATE TABLE reports (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dashboard_id uuid NOT NULL REFERENCES dashboards (id) ON DELETE CASCADE,
    -- A report shows what its owner may see; without one it is sent no more, and says so.
    owner_id     uuid REFERENCES users (id) ON DELETE SET NULL,
    schedule     jsonb NOT NULL,
    start        text NOT NULL,
    variables    jsonb NOT NULL DEFAULT '{}',
    emails       text[] NOT NULL DEFAULT '{}',
    folder       text,
    keep         integer NOT NULL DEFAULT 30,
    paused       boolean NOT NULL DEFAULT false,
    -- The time it is due for; tried then, and where that fails a few times more.
    next_at      timestamptz NOT NULL,
    try_at       timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    last_at      timestamptz,
    error        text,
    error_at     timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reports_dashboard_id_idx ON reports (dashboard_id);
CREATE INDEX reports_owner_id_idx ON reports (owner_id);
CREATE INDEX reports_try_at_idx ON reports (try_at) WHERE NOT paused;
