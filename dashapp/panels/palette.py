"""Colours that plots need as values. The style sheet's custom properties hold the same ones for everything else
(a test compares them); both come from one table of the design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Theme = Literal["dark", "light"]
#: How a value stands against its panel's thresholds; `plain` where there are none.
Level = Literal["plain", "ok", "warning", "critical"]

#: Colours of series in order, alike in both themes.
SERIES = ("#5b93ff", "#f29a4b", "#35bf9d", "#c583f5", "#f0647e", "#a3bf3c")


@dataclass(frozen=True)
class Palette:
    surface: str
    track: str
    text: str
    muted: str
    grid: str
    ok: str
    warning: str
    critical: str

    def level(self, level: Level) -> str:
        return {"plain": SERIES[0], "ok": self.ok, "warning": self.warning, "critical": self.critical}[level]


PALETTES: dict[Theme, Palette] = {
    "dark": Palette("#171b22", "#1e242d", "#e7eaf0", "#8a94a4", "#232a34", "#3fb67f", "#e3a52f", "#ea5a51"),
    "light": Palette("#ffffff", "#e2e5ea", "#1a1f27", "#667080", "#edeff2", "#1f9d63", "#b97a08", "#d03b33"),
}


def series_color(index: int, first: str | None = None) -> str:
    """The colour of the series at `index`; `first` is the panel's own for its first."""
    return first if first and index == 0 else SERIES[index % len(SERIES)]
