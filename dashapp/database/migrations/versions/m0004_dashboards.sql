-- Dashboards: what editing, variables and undo need.
SELECT 1;
