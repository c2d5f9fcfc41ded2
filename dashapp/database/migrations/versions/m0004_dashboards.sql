-- Dashboards: what editing, variables and undo need.

-- Deleting is taken back for a week: until then the row stays, seen by nobody.
ALTER TABLE dashboards ADD COLUMN deleted_at timestamptz;
ALTER TABLE panels ADD COLUMN deleted_at timestamptz;
CREATE INDEX dashboards_deleted_at_idx ON dashboards (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX panels_deleted_at_idx ON panels (deleted_at) WHERE deleted_at IS NOT NULL;
