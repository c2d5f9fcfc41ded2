"""One viewer of one dashboard: its document's panels, and what keeps them up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from bokeh.document import Document

from dashapp.contract.durations import parse_ms
from dashapp.contract.timerange import TimeRange
from dashapp.errors import DashappError, ValidationFailed
from dashapp.live.hub import now_ms
from dashapp.live.window import LiveQuery, Window
from dashapp.metrics.routing import default_step
from dashapp.pages.sockets import one_message
from dashapp.panels import Panel, Parts, panel_of
from dashapp.panels.card import PageState
from dashapp.panels.timeplot import TimePlot

if TYPE_CHECKING:
    from dashapp.contract.dashboards import Dashboard
    from dashapp.contract.dashboards import Panel as PanelRecord
    from dashapp.live.hub import LiveHub, Subscription
    from dashapp.metrics.query import Reader
    from dashapp.panels.palette import Theme

log = logging.getLogger(__name__)

#: Points a series that a panel's width can show.
_POINTS = 400


class DashboardView:
    """Made before the page is sent: `await prepare()`, then `build` the session's document, `close` with the session."""

    def __init__(self, hub: LiveHub, reader: Reader, dashboard: Dashboard, *, shown: TimeRange, refresh: str, theme: Theme) -> None:
        self.hub, self.reader, self.dashboard = hub, reader, dashboard
        self.parts = Parts(theme)
        self.panels: dict[str, Panel] = {}
        self._records: dict[str, PanelRecord] = {str(record.id): record for record in dashboard.panels}
        self.state = PageState(start=shown.start, end=shown.end, refresh=refresh, theme=theme, layout_version=dashboard.version)
        self.document: Document | None = None
        self._subscription: Subscription | None = None
        #: The newest tick that the document hasn't shown yet; an older one that waits is dropped.
        self._pending: tuple[int, Mapping[LiveQuery, Window]] | None = None
        self._reloading = False
        self._queries: dict[str, list[LiveQuery]] = {}
        self._aligned: dict[int, int] = {}

    # -- before the page is sent -------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make the panels and read what they show first, side by side; others get their turn between any two panels."""
        reading = asyncio.create_task(self._read())
        try:
            for panel_id, record in self._records.items():
                await asyncio.sleep(0)
                panel = self.panels[panel_id] = panel_of(record, self.parts, panel_id)
                if record.error:
                    panel.fail(record.error)
        finally:
            moment, windows = await reading
        self.state.cards = [panel.card for panel in self.panels.values()]
        start, end = self._slide(moment)
        for panel_id in self.panels:
            await asyncio.sleep(0)
            self._show_panel(panel_id, windows, start, end)
        self._align()
        await self._explain_empty()

    def build(self, document: Document) -> None:
        """Put the plots and the page's state into the session's document."""
        self.document = document
        document.title = self.dashboard.name
        # The page's script says that a connection is lost and comes back by itself.
        document.config.notify_connection_status = False
        document.config.reconnect_session = False
        # The document looks through all its models once, not once for each root.
        with document.models.freeze():
            for panel in self.panels.values():
                document.add_root(panel.plot)
            document.add_root(self.state)
        for name in ("start", "end", "refresh", "visible"):
            self.state.on_change(name, lambda _name, _old, _new: self._reload_soon())
        self.state.on_change("theme", lambda _name, _old, new: self._dress(new))
        for panel_id, panel in self.panels.items():
            panel.card.on_change("retries", lambda _name, _old, _new, panel_id=panel_id: self._retry_soon(panel_id))
        document.on_session_destroyed(lambda _context: self.close())
        self._subscribe()

    def close(self) -> None:
        """Stop being told: the viewer is gone."""
        if self._subscription is not None:
            self._subscription.close()
        self._subscription, self.document, self._pending = None, None, None

    # -- asking ------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> TimeRange:
        return TimeRange(self.state.start, self.state.end)

    def _plan(self, moment: int) -> tuple[int, int]:
        """Each panel's queries over the shown range, which is returned in Unix ms."""
        start, end = self.shown.resolve(moment)
        self._queries = {}
        for panel_id, record in self._records.items():
            step = record.options.step or default_step(start, end, _POINTS)
            self._queries[panel_id] = [LiveQuery(selection, end - start, step) for selection, _ in record.selections()]
        return start, end

    def _distinct(self) -> list[LiveQuery]:
        return list(dict.fromkeys(query for queries in self._queries.values() for query in queries))

    async def _read(self, *, fresh: bool = False) -> tuple[int, Mapping[LiveQuery, Window]]:
        moment = now_ms()
        start, end = self._plan(moment)
        queries = self._distinct()
        if self.shown.live:
            return moment, await self.hub.windows(queries, fresh=fresh)
        return moment, dict(zip(queries, await self.hub.once([(query, start, end) for query in queries]), strict=True))

    def _subscribe(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        if self.shown.live and self.state.refresh != "off" and self.state.visible:
            self._subscription = self.hub.subscribe(self._distinct(), parse_ms(self.state.refresh), self._on_tick)

    # -- showing -----------------------------------------------------------------------------------------------

    def show(self, moment: int, windows: Mapping[LiveQuery, Window]) -> None:
        """Bring every panel to these windows. Needs the document's lock."""
        start, end = self._slide(moment)
        for panel_id in self.panels:
            self._show_panel(panel_id, windows, start, end)
        self._align()

    def _slide(self, moment: int) -> tuple[int, int]:
        start, end = self.shown.resolve(moment)
        self.parts.slide(start, end)
        self.state.range_ms = [float(start), float(end)]
        return start, end

    def _show_panel(self, panel_id: str, windows: Mapping[LiveQuery, Window], start: int, end: int) -> None:
        """One panel's failure stays in its own frame."""
        panel = self.panels[panel_id]
        answers = [windows[query] for query in self._queries[panel_id] if query in windows]
        if self._records[panel_id].error or len(answers) < len(self._queries[panel_id]):
            return
        try:
            failed = next((answer for answer in answers if answer.error is not None), None)
            if failed is not None:
                self._show_failure(panel, failed)
            else:
                frames = [answer.frame for answer in answers if answer.frame is not None]
                panel.update(frames, start, end, live=self.shown.live)
        except Exception:
            log.exception("panel %s failed", panel.card.panel_id)
            panel.fail("this panel could not be drawn; the server's log says why")

    @staticmethod
    def _show_failure(panel: Panel, answer: Window) -> None:
        if answer.frame is not None:
            panel.stale(float(answer.as_of_ms), str(answer.error))
        else:
            panel.fail(str(answer.error))

    def _align(self) -> None:
        """Time lines up down the page: plots that stand in one column have one left margin."""
        columns: dict[int, list[TimePlot]] = {}
        for panel_id, panel in self.panels.items():
            if isinstance(panel, TimePlot):
                columns.setdefault(self._records[panel_id].position.x, []).append(panel)
        for column, plots in columns.items():
            # Never narrower while somebody watches: a margin that breathes with the numbers is restless.
            width = max([self._aligned.get(column, 0), *(plot.label_width + 18 for plot in plots)])
            self._aligned[column] = width
            for plot in plots:
                if plot.plot.min_border_left != width:
                    plot.plot.min_border_left = width

    def _dress(self, theme: Theme) -> None:
        self.parts.theme = theme
        for panel in self.panels.values():
            panel.dress()

    async def _explain_empty(self) -> None:
        """Say of an empty panel how old its newest sample is."""
        for panel in self.panels.values():
            if panel.card.state == "empty" and "; " not in panel.card.message:
                try:
                    newest = [at for selection, _ in panel.queries if (at := await self.reader.newest(selection)) is not None]
                except DashappError:
                    continue
                self._locked(partial(panel.nothing_since, max(newest, default=None), now_ms()))

    # -- events ------------------------------------------------------------------------------------------------

    def _locked(self, change: partial[None]) -> None:
        """Run a change under the document's lock, or at once where there is no document yet."""
        if self.document is None or self.document.session_context is None:
            change()
        else:
            self.document.add_next_tick_callback(change)

    def _on_tick(self, moment: int, windows: Mapping[LiveQuery, Window]) -> None:
        document = self.document
        if document is None:
            return
        waiting = self._pending is not None
        self._pending = (moment, windows)
        if not waiting:
            document.add_next_tick_callback(self._apply)

    async def _apply(self) -> None:
        if self.document is None or self._pending is None:
            return
        (moment, windows), self._pending = self._pending, None
        with one_message(self.document):
            self.show(moment, windows)
        await self._explain_empty()

    def _reload_soon(self) -> None:
        """The range, the refresh or the visibility changed; the three may come one after the other."""
        if self.document is not None and not self._reloading:
            self._reloading = True
            self.document.add_next_tick_callback(self._reload)

    async def _reload(self) -> None:
        self._reloading = False
        if self.document is None:
            return
        try:
            if self.state.visible:
                moment, windows = await self._read()
                if self.document is None:
                    return
                with one_message(self.document):
                    self.state.problem = ""
                    self.show(moment, windows)
                await self._explain_empty()
            self._subscribe()
        except ValidationFailed as error:
            self.state.problem = str(error)

    def _retry_soon(self, panel_id: str) -> None:
        if self.document is not None:
            self.panels[panel_id].card.state = "loading"
            self.document.add_next_tick_callback(partial(self._retry, panel_id))

    async def _retry(self, panel_id: str) -> None:
        moment, windows = await self._read(fresh=True)
        if self.document is None:
            return
        start, end = self.shown.resolve(moment)
        with one_message(self.document):
            self._show_panel(panel_id, windows, start, end)
