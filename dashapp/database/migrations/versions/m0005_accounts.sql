-- Accounts: sessions that can be named and end for good, accounts that can be closed, and who changed what.

ALTER TABLE users ADD COLUMN disabled_at timestamptz;

-- The id names a session to its owner; it is no secret and opens nothing.
ALTER TABLE sessions ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE sessions ADD COLUMN ends_at timestamptz NOT NULL DEFAULT 'infinity';
CREATE UNIQUE INDEX sessions_id_key ON sessions (id);

-- Who changed what. Rows outlive what they tell of, so nothing is referenced and names are kept beside ids.
CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_id   uuid,
    -- An e-mail, or what else acted, such as the command line.
    actor      text NOT NULL,
    -- The name of the token, where one was used.
    token      text,
    address    text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    -- Such as dashboard.change.
    action     text NOT NULL,
    target_id  text NOT NULL DEFAULT '',
    target     text NOT NULL DEFAULT '',
    details    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_at_idx ON audit_log (at DESC, id DESC);
CREATE INDEX audit_log_target_id_idx ON audit_log (target_id);
