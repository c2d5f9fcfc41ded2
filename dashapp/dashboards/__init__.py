"""Dashboards and their panels: the store, the grid's rules, and dashboards as files."""
