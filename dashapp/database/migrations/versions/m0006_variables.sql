-- Dashboards: what their readers choose.

ALTER TABLE dashboards ADD COLUMN variables jsonb NOT NULL DEFAULT '[]';
