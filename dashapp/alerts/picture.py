"""A rule's last hours as a small PNG, for mails: drawn with Pillow, which Bokeh brings along."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dashapp.contract.frames import Frame
from dashapp.contract.gaps import stretches

WIDTH, HEIGHT = 600, 200
#: Drawn so many times larger and shrunk, which smooths the lines.
_SCALE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 24
_LINES = ("#2b6cb0", "#b7791f", "#2f855a", "#805ad5", "#c05621", "#319795")
_MOST_SERIES = 6


def draw(frame: Frame, start_ms: int, end_ms: int, threshold: float) -> bytes | None:
    """PNG of at most six series with the threshold; None where there is nothing to draw."""
    series = [one.values for one in frame.series[:_MOST_SERIES] if not np.isnan(one.values).all()]
    if not series or frame.empty:
        return None
    low = min(threshold, *(float(np.nanmin(values)) for values in series))
    high = max(threshold, *(float(np.nanmax(values)) for values in series))
    margin = (high - low) * 0.08 or max(abs(high) * 0.1, 1.0)
    low, high = low - margin, high + margin

    def x(ms: float) -> float:
        return (_LEFT + (ms - start_ms) / (end_ms - start_ms) * (WIDTH - _LEFT - _RIGHT)) * _SCALE

    def y(value: float) -> float:
        return (HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)) * _SCALE

    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), "white")
    canvas, font = ImageDraw.Draw(image), ImageFont.load_default(11 * _SCALE)
    for part in range(5):
        value = low + (high - low) * part / 4
        canvas.line([(x(start_ms), y(value)), (x(end_ms), y(value))], "#e2e8f0", _SCALE)
        canvas.text(((_LEFT - 6) * _SCALE, y(value)), f"{value:.4g}", "#4a5568", font, anchor="rm")
        ms = start_ms + (end_ms - start_ms) * part / 4
        label, anchor = datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M"), ("la", "ma", "ma", "ma", "ra")[part]
        canvas.text((x(ms), (HEIGHT - _BOTTOM + 6) * _SCALE), label, "#4a5568", font, anchor=anchor)
    for number, values in enumerate(series):
        for stretch in stretches(frame.times, values, frame.step_ms):
            points = [(x(float(frame.times[at])), y(float(values[at]))) for at in stretch]
            _line(canvas, points, _LINES[number])
    for at in range(_LEFT, WIDTH - _RIGHT, 10):
        canvas.line([(at * _SCALE, y(threshold)), ((at + 5) * _SCALE, y(threshold))], "#c4322b", _SCALE)
    out = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _line(canvas: ImageDraw.ImageDraw, points: list[tuple[float, float]], color: str) -> None:
    (left, top), *more = points
    canvas.line(points if more else [(left, top), (left + _SCALE, top)], color, 2 * _SCALE)
