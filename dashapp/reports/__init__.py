"""Scheduled reports: snapshots of dashboards, made at set times, mailed and kept."""
