"""The page that both sides show: twelve panels, three lines each, an hour of points every ten seconds."""

from __future__ import annotations

import math

PANELS = 12
HOSTS = ("a", "b", "c")
POINTS = 360
STEP_S = 10
WIDTH, HEIGHT = 4, 4
"""Columns of twelve, and rows of `ROW_PX`, that a panel takes."""
ROW_PX = 76


def value(panel: int, host: int, time_s: int) -> float:
    """The same number on both sides: a load that goes up and down, with some noise."""
    at = time_s / STEP_S
    noise = math.sin(at * 12.9898 + panel * 78.233 + host * 37.719) * 43758.5453 % 1.0
    return round(30 + 15 * host + 10 * math.sin(at / 40 + panel) + 6 * noise, 3)


def newest(now_s: float) -> int:
    """The time of the newest point at `now_s`."""
    return int(now_s) // STEP_S * STEP_S


# -- points that are sent in --------------------------------------------------------------------------------------

INGEST_SERIES = 1000
"""Series, and points of a request: one of each."""
INGEST_STEP_MS = 10
"""From one request's points to the next one's: all of a run lie within the last minutes, as agents send them."""


def ingest_tags(series: int) -> dict[str, str]:
    return {"host": f"host-{series:04d}", "region": "eu-west"}


def ingest_value(number: int, series: int) -> float:
    return round(30 + series % 40 + number * 12.9898 % 10, 3)
