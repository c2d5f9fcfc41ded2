"""``/explore``: any metrics in one plot that nobody has to store; a board of one panel, drawn anew for each question."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import orjson
from bokeh.models import GlyphRenderer, Scatter
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.background import BackgroundTask
from starlette.responses import Response

from dashapp.accounts.permissions import Actor, allowed, require
from dashapp.contract.base import Model
from dashapp.contract.dashboards import Dashboard, Panel, PanelDefinition
from dashapp.contract.timerange import PICKER_RANGES
from dashapp.live.board import Board, Key
from dashapp.pages.dashboard import shown_range
from dashapp.pages.questions import answer
from dashapp.pages.templates import page
from dashapp.pages.visitor import signed_in, theme_cookie, theme_of
from dashapp.panels.base import renderer
from dashapp.panels.curves import curves, load
from dashapp.panels.form import panel_form
from dashapp.panels.line import LinePanel
from dashapp.panels.palette import series_color
from dashapp.panels.timeplot import TimePlot
from dashapp.snapshots.inline import in_html

if TYPE_CHECKING:
    from dashapp.contract.frames import Frame
    from dashapp.panels.palette import Theme
    from dashapp.services import Services

#: The id of the panel, which is no stored one.
PANEL = UUID(int=0)
#: More dots than this run into each other.
_MOST_DOTS = 200


class PictureRequest(Model):
    """What ``/explore`` asks to be drawn."""

    panel: PanelDefinition
    start: str = Field(default="now-1h", alias="from", max_length=64)
    end: str = Field(default="now", alias="to", max_length=64)


async def drawn(services: Services, asked: PictureRequest, theme: Theme) -> dict[str, Any]:
    """`picture` as a page shows it, and where each query's numbers come from.

    Raises:
        ValidationFailed: the range can't be read.
    """
    now = datetime.now(UTC)
    fields = {name: getattr(asked.panel, name) for name in PanelDefinition.model_fields}
    dashboard = Dashboard(
        id=PANEL, name="Explore", description="", owner_id=PANEL, is_public=False, layout=[], version=0, created_at=now,
        updated_at=now, panels=[Panel(id=PANEL, dashboard_id=PANEL, **fields)],
    )  # fmt: skip
    board = Board(services.hub, services.reader, dashboard, Key(PANEL, asked.start, asked.end, "off", theme))
    await board.prepare()
    panel = board.panels[str(PANEL)]
    if isinstance(panel, TimePlot) and panel.lines:
        await _explored(panel)
    return {"picture": orjson.Fragment(board.drawing.picture()), "answers": [_about(frame) for frame in panel.frames]}


def _held(frame: Frame) -> tuple[int, bool]:
    """(values, whether each is one sample as it was sent)."""
    counts = [series.counts[~np.isnan(series.values)] for series in frame.series]
    return sum(int(one.size) for one in counts), frame.meta.resolution == "raw" and all(bool((one <= 1).all()) for one in counts)


def _about(frame: Frame) -> dict[str, Any]:
    points, samples = _held(frame)
    return frame.meta.wire() | {"series": len(frame.series), "points": points, "samples": samples}


async def _explored(panel: TimePlot) -> None:
    """Have HoloViews draw lines, and mark samples as such, once there are so few that each can be seen."""
    held = [_held(frame) for frame in panel.frames]
    most = max(line.times.size for line in panel.lines)
    samples = not panel.stack and most <= _MOST_DOTS and all(samples for _, samples in held)
    if isinstance(panel, LinePanel):
        panel.card.plot = await asyncio.to_thread(curves, panel, samples=samples)
    elif samples:
        panel.plot.renderers = [*panel.plot.renderers, *(_dots(panel, index) for index in range(len(panel.lines)))]


def _dots(panel: TimePlot, index: int) -> GlyphRenderer:
    glyph = Scatter(x="t", y=f"v{index}", size=5, fill_color=series_color(index, panel.color), line_color=None)
    return renderer(panel.source, glyph, view=panel.rows, name=f"s{index}")


def create_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/explore")
    async def explore(request: Request) -> Response:
        user = await signed_in(request, services)
        actor = Actor(user)
        require(actor, "metrics.read")
        shown, _, problem = shown_range(request)
        form = panel_form().model_dump(mode="json", by_alias=True)
        boot = {
            "userId": str(user.id), "isAdmin": user.role == "admin", "mayCreate": allowed(actor, "dashboard.create"),
            "canEdit": False, "panelId": str(PANEL), "start": shown.start, "end": shown.end, "problem": problem,
            "form": form | {"types": [kind for kind in form["types"] if kind["asks"]]},
        }  # fmt: skip
        shell = page(
            "explore.html", theme=theme_cookie(request), user=user, may_create=boot["mayCreate"], shown=shown,
            ranges=PICKER_RANGES, panel_id=PANEL, boot=in_html(orjson.dumps(boot)),
        )  # fmt: skip
        # While the page's scripts run; the first question would have to wait for it.
        shell.background = BackgroundTask(load)
        return shell

    @router.post("/explore/picture")
    async def picture(request: Request) -> Response:
        """A panel that isn't stored, drawn over a range."""

        async def draw(asked: PictureRequest) -> dict[str, Any]:
            return await drawn(services, asked, theme_of(request))

        return await answer(request, services, "metrics.read", PictureRequest, draw)

    return router
