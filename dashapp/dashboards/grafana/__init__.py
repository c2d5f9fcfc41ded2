"""Grafana's dashboards as ours, and panel by panel what of them has no counterpart here.

What maps to what stands in `tables`: a type or a unit that dashapp gains is switched on by the contract naming it.
"""

from dashapp.dashboards.grafana.convert import Imported, PanelReport, convert

__all__ = ["Imported", "PanelReport", "convert"]
