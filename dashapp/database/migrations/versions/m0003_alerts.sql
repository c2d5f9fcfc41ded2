-- Alerts: silences, the outbox of notifications, and what rules and instances lacked.

ALTER TABLE alert_rules
    -- Ticks from here on judge this version.
    ADD COLUMN effective_at timestamptz NOT NULL DEFAULT now(),
    -- Until then it is judged, and nobody is told.
    ADD COLUMN paused_until timestamptz,
    -- Why it couldn't be judged at the last tick.
    ADD COLUMN error text,
    ADD COLUMN error_since timestamptz;
CREATE INDEX alert_rules_owner_id_idx ON alert_rules (owner_id);

-- What was seen last, and since when on end: a row changes only when this or its state does, not each tick.
-- A pending instance that is not judged (nodata, error) keeps its clock by moving pending_since when judging goes on.
ALTER TABLE alert_instances
    ADD COLUMN seen text NOT NULL DEFAULT 'nodata' CHECK (seen IN ('holds', 'fails', 'nodata', 'error')),
    ADD COLUMN seen_since timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN incident uuid,
    ADD CHECK ((state = 'firing') = (incident IS NOT NULL)),
    ADD CHECK ((state = 'pending') = (pending_since IS NOT NULL));
CREATE INDEX alert_instances_active_idx ON alert_instances (rule_id) WHERE state <> 'ok';

ALTER TABLE alert_events
    ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    -- The condition in words, as it was.
    ADD COLUMN summary text NOT NULL DEFAULT '';

-- One row: the last tick that was judged. Whoever changes rules raises the generation, under this row's lock.
CREATE TABLE alert_clock (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    last_tick  timestamptz,
    generation bigint NOT NULL DEFAULT 0
);
INSERT INTO alert_clock DEFAULT VALUES;

-- The outbox: one row an event and channel, written in the event's transaction.
CREATE TABLE alert_deliveries (
    id              uuid PRIMARY KEY,
    -- The order within a stream.
    n               bigint GENERATED ALWAYS AS IDENTITY,
    -- What is delivered in order: an instance and a channel.
    stream          uuid NOT NULL,
    event_id        uuid NOT NULL REFERENCES alert_events ON DELETE CASCADE,
    incident        uuid NOT NULL,
    status          text NOT NULL CHECK (status IN ('firing', 'resolved')),
    type            text NOT NULL CHECK (type IN ('email', 'webhook', 'apprise')),
    target          text NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dropped', 'dead')),
    attempts        integer NOT NULL DEFAULT 0,
    first_attempt_at timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    claimed_until   timestamptz,
    -- An attempt was made whose outcome isn't known: it may have arrived.
    maybe_sent      boolean NOT NULL DEFAULT false,
    sent_at         timestamptz,
    error           text
);
CREATE INDEX alert_deliveries_event_id_idx ON alert_deliveries (event_id);
CREATE INDEX alert_deliveries_incident_idx ON alert_deliveries (incident);
CREATE INDEX alert_deliveries_pending_idx ON alert_deliveries (stream, n) WHERE state = 'pending';

CREATE TABLE alert_silences (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    rule_id    uuid REFERENCES alert_rules ON DELETE CASCADE,
    tags       jsonb NOT NULL DEFAULT '{}',
    severity   text CHECK (severity IN ('info', 'warning', 'critical')),
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    reason     text NOT NULL DEFAULT '',
    owner_id   uuid REFERENCES users ON DELETE SET NULL,
    created_by text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_silences_ends_at_idx ON alert_silences (ends_at);
CREATE INDEX alert_silences_rule_id_idx ON alert_silences (rule_id);
CREATE INDEX alert_silences_owner_id_idx ON alert_silences (owner_id);
