"""Floor 3: param-driven Bokeh panels. They know frames, not databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashapp.panels.alerts import AlertsPanel
from dashapp.panels.area import AreaPanel
from dashapp.panels.bar import BarPanel
from dashapp.panels.base import Panel
from dashapp.panels.gauge import GaugePanel
from dashapp.panels.heatmap import HeatmapPanel
from dashapp.panels.line import LinePanel
from dashapp.panels.parts import Parts
from dashapp.panels.stat import StatPanel
from dashapp.panels.table import TablePanel
from dashapp.panels.text import TextPanel

if TYPE_CHECKING:
    from dashapp.contract.dashboards import PanelDefinition
    from dashapp.panels.card import Card

PANELS: dict[str, type[Panel]] = {
    kind.kind: kind
    for kind in (
        LinePanel,
        AreaPanel,
        BarPanel,
        GaugePanel,
        StatPanel,
        TablePanel,
        HeatmapPanel,
        TextPanel,
        AlertsPanel,
    )
}

__all__ = [
    "PANELS", "AlertsPanel", "AreaPanel", "BarPanel", "GaugePanel", "HeatmapPanel", "LinePanel", "Panel", "Parts", "StatPanel",
    "TablePanel", "TextPanel",
    "panel_of",
]  # fmt: skip


def panel_of(definition: PanelDefinition, parts: Parts | None = None, panel_id: str = "", card: Card | None = None) -> Panel:
    """The panel that a definition describes; with `card` it takes the place of the one that has it."""
    return PANELS[definition.type].from_definition(definition, parts, panel_id, card)
