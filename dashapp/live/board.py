"""A dashboard over one range: its panels, what they ask for, and what they show, for everybody who looks at it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dashapp.contract.dashboards import PanelDefinition
from dashapp.contract.durations import parse_ms
from dashapp.contract.timerange import TimeRange
from dashapp.contract.variables import Chosen, asking, substituted
from dashapp.errors import DashappError, ValidationFailed
from dashapp.live.choices import Tags, choose
from dashapp.live.drawing import Drawing, Listener
from dashapp.live.hub import now_ms
from dashapp.live.window import LiveQuery, Window
from dashapp.metrics.routing import default_step
from dashapp.panels import Panel, Parts, panel_of
from dashapp.panels.alerts import AlertsPanel
from dashapp.panels.card import Cards
from dashapp.panels.timeplot import TimePlot

if TYPE_CHECKING:
    from uuid import UUID

    from dashapp.contract.alerts import ActiveAlert, FiringPeriod
    from dashapp.contract.dashboards import Dashboard
    from dashapp.contract.metrics import Selection
    from dashapp.live.hub import Listener as Ticked
    from dashapp.live.hub import Subscription
    from dashapp.panels.palette import Theme

log = logging.getLogger(__name__)

#: Points a series that a panel's width can show.
_POINTS = 400
#: A picture that no tick keeps fresh is read anew for a viewer who comes later than this.
_FRESH_MS = 2_000

#: Notices of what alerts have come to may be lost.
_MARKED_EVERY_MS = 10_000


class Key(NamedTuple):
    """What viewers of one board have in common."""

    dashboard: UUID
    start: str
    end: str
    refresh: str
    theme: Theme
    chosen: Chosen = ()
    #: Who edits has a board of their own, for what isn't saved yet; 0 is everybody's.
    editor: int = 0
    #: For readers without an account: what alerts there are, and what else a variable could show, isn't theirs to see.
    outside: bool = False
    #: The variables of `chosen` that somebody chose; the others follow their defaults.
    said: tuple[str, ...] = ()


#: A panel that is being edited: its id, or any other word for a new one, and how it is to be.
Draft = tuple[str, PanelDefinition]


class Hub(Protocol):
    """Answers what a board's panels show: a server's `LiveHub`, a notebook's `Source`."""

    async def windows(self, queries: Iterable[LiveQuery], *, fresh: bool = False) -> Mapping[LiveQuery, Window]: ...
    async def once(self, selections_and_bounds: list[tuple[LiveQuery, int, int]]) -> list[Window]: ...
    def subscribe(self, queries: Iterable[LiveQuery], interval_ms: int, listener: Ticked) -> Subscription: ...


class Newest(Tags, Protocol):
    """Answers what else a board wants to know: a server's `Reader`, a notebook's `Source`."""

    async def newest(self, selection: Selection) -> int | None: ...


class Alerts(Protocol):
    """Answers what alerts say of a board's panels: a server's `History`."""

    async def firing_periods(self, metrics: Collection[str], start_ms: int, end_ms: int) -> Sequence[FiringPeriod]: ...
    async def active(self, *, resolved: bool = False) -> Sequence[ActiveAlert]: ...


class Board:
    """Made by `dashapp.live.boards`. `join` to be told of changes; `leave` when the viewer is gone."""

    def __init__(self, hub: Hub, reader: Newest, dashboard: Dashboard, key: Key, alerts: Alerts | None = None) -> None:
        self.hub, self.reader, self.dashboard, self.key = hub, reader, dashboard, key
        self._alerts = None if key.outside else alerts
        self._marked_ms = 0
        self._marking: asyncio.Task[None] | None = None
        self.shown = TimeRange(key.start, key.end)
        self.parts = Parts(key.theme)
        self.panels: dict[str, Panel] = {}
        self.cards = Cards(version=dashboard.version, title=dashboard.name)
        #: What pages are sent: the document of all panels, and its changes.
        self.drawing = Drawing(self.cards)
        #: What the variables are, and what panels show.
        self._chosen = key.chosen
        #: The panel that is being edited, shown in place of the stored one.
        self._draft: Draft | None = None
        self._records, self._errors = self._wanted()
        self._queries: dict[str, list[LiveQuery]] = {}
        self._arranging = asyncio.Lock()
        self._aligned: dict[int, int] = {}
        self._read_ms = 0
        self._reading: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None

    # -- made ----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make the panels and read what they show first, side by side; others get their turn between any two panels.

        Raises:
            ValidationFailed: the range can't be read.
        """
        moment = now_ms()
        start, end = self.shown.resolve(moment)
        self._queries = self._plan(self._records, start, end)
        reading = asyncio.create_task(self._read(moment))
        try:
            for panel_id, record in self._records.items():
                await asyncio.sleep(0)
                self._make(panel_id, record)
        finally:
            windows = await reading
        self._slide(moment)
        for panel_id in self.panels:
            await asyncio.sleep(0)
            self._show_panel(panel_id, windows, start, end)
        self._put_cards()
        self._put_variables()
        self._align()
        await self._explain_empty()
        await self._mark()
        self.drawing.begin()
        self._read_ms = moment

    def dress(self, theme: Theme) -> bytes:
        """Take a theme's colours; answers the patch that does the same to a page that shows this board."""
        before = self.drawing.at
        with self.drawing.change():
            self.parts.theme = theme
            for panel in self.panels.values():
                panel.dress()
        since = self.drawing.since(before)
        return since[-1].patch if since else b'{"events":[]}'

    # -- watched -------------------------------------------------------------------------------------------------

    def join(self, listener: Listener) -> None:
        """Tell `listener` of each change from now on."""
        self.drawing.listeners.add(listener)
        if self._subscription is None:
            self._subscribe()

    def leave(self, listener: Listener) -> None:
        self.drawing.listeners.discard(listener)
        if not self.drawing.listeners and self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _subscribe(self) -> None:
        """Be told of ticks, of the queries as they are now."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        if self.drawing.listeners and self.shown.live and self.key.refresh != "off":
            self._subscription = self.hub.subscribe(self._distinct(), parse_ms(self.key.refresh), self._on_tick)

    async def freshen(self) -> None:
        """Bring a board that no tick keeps fresh to the present; viewers who come together share the reading."""
        if self._subscription is not None or now_ms() - self._read_ms < _FRESH_MS:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._reread())
        await asyncio.shield(self._reading)

    async def retry(self, panel_id: str) -> None:
        """Ask once more for a panel that failed."""
        if panel_id not in self.panels:
            return
        with self.drawing.change():
            self.panels[panel_id].card.state = "loading"
        moment = now_ms()
        windows = await self._read(moment, fresh=True, only={panel_id})
        start, end = self.shown.resolve(moment)
        with self.drawing.change():
            self._show_panel(panel_id, windows, start, end)

    # -- changes of the dashboard --------------------------------------------------------------------------------

    async def adopt(self, dashboard: Dashboard) -> None:
        """Show the dashboard as it is stored now; panels that didn't change stay as they are."""
        if dashboard.version > self.dashboard.version:
            chosen = await choose(self.reader, dashboard.variables, asking(self.key.chosen, self.key.said))
            if dashboard.version > self.dashboard.version:
                self.dashboard, self._chosen = dashboard, chosen
            await self._arrange()

    async def draft(self, draft: Draft | None) -> None:
        """Show a panel as it is being edited, in an editor's own board; None shows what is stored."""
        if draft != self._draft:
            self._draft = draft
            await self._arrange()

    def _wanted(self) -> tuple[dict[str, PanelDefinition], dict[str, str]]:
        """The panels that belong on the board, in reading order, and what is wrong with stored ones."""
        records: dict[str, PanelDefinition] = {str(record.id): record for record in self.dashboard.panels}
        errors = {str(record.id): record.error for record in self.dashboard.panels if record.error}
        if self._draft is not None and self._draft[0] not in records and self._saved_as_draft(records):
            self._draft = None
        if self._draft is not None:
            panel_id, definition = self._draft
            if panel_id in records:
                definition = definition.model_copy(update={"position": records[panel_id].position})
            errors.pop(panel_id, None)
            records[panel_id] = definition
        for panel_id, definition in records.items():
            try:
                records[panel_id] = substituted(definition, self.dashboard.variables, self._chosen)
            except ValidationFailed as error:
                errors.setdefault(panel_id, str(error))
        return records, errors

    def _saved_as_draft(self, records: Mapping[str, PanelDefinition]) -> bool:
        """Whether the new panel that is being edited has come back from the store."""
        assert self._draft is not None
        definition = self._draft[1]
        came = [record for panel_id, record in records.items() if panel_id not in self.panels]
        return any(record.title == definition.title and _drawn(record) == _drawn(definition) for record in came)

    async def _arrange(self) -> None:
        """Bring the board to the panels that it should have; only those that changed get new plots."""
        async with self._arranging:
            records, errors = self._wanted()
            changed = {
                panel_id
                for panel_id, record in records.items()
                if panel_id not in self._records
                or _drawn(self._records[panel_id]) != _drawn(record)
                or self._errors.get(panel_id) != errors.get(panel_id)
            }
            moment = now_ms()
            start, end = self.shown.resolve(moment)
            queries = self._plan(records, start, end)
            windows = await self._ask(start, end, [query for panel_id in changed for query in queries[panel_id]])
            self._records, self._errors, self._queries = records, errors, queries
            gone = [panel_id for panel_id in self.panels if panel_id not in records]
            with self.drawing.change(plots=bool(changed or gone)):
                for panel_id in gone:
                    del self.panels[panel_id]
                for panel_id in changed:
                    self._make(panel_id, records[panel_id])
                    self._show_panel(panel_id, windows, start, end)
                self._put_cards()
                self._put_variables()
                self._align()
                self.cards.update(version=self.dashboard.version, title=self.dashboard.name)
            if self._subscription is not None:
                self._subscribe()
        await self._explain_empty()
        await self._mark()

    def _make(self, panel_id: str, record: PanelDefinition) -> Panel:
        """The panel of a record, in the place of the one that has its id."""
        old = self.panels.get(panel_id)
        panel = self.panels[panel_id] = panel_of(record, self.parts, panel_id, old.card if old else None)
        if panel_id in self._errors:
            panel.fail(self._errors[panel_id])
        return panel

    def _put_cards(self) -> None:
        for panel_id, record in self._records.items():
            at = record.position
            self.panels[panel_id].card.update(title=record.title, place=[at.x, at.y, at.w, at.h])
        cards = [self.panels[panel_id].card for panel_id in self._records]
        if cards != self.cards.cards:
            self.cards.cards = cards

    def _put_variables(self) -> None:
        chosen = dict(self._chosen)
        self.cards.variables = [
            variable.wire() | {"label": variable.shown, "chosen": list(chosen.get(variable.name, ()))}
            for variable in (() if self.key.outside else self.dashboard.variables)
        ]

    # -- asking --------------------------------------------------------------------------------------------------

    @staticmethod
    def _plan(records: Mapping[str, PanelDefinition], start: int, end: int) -> dict[str, list[LiveQuery]]:
        """Each panel's queries over [start, end) in Unix ms."""
        return {
            panel_id: [
                LiveQuery(selection, end - start, record.options.step or default_step(start, end, _POINTS))
                for selection, _ in record.selections()
            ]
            for panel_id, record in records.items()
        }

    def _distinct(self) -> list[LiveQuery]:
        return list(dict.fromkeys(query for queries in self._queries.values() for query in queries))

    async def _read(self, moment: int, *, fresh: bool = False, only: Collection[str] | None = None) -> Mapping[LiveQuery, Window]:
        """What all panels show at `moment`, or `only` these."""
        start, end = self.shown.resolve(moment)
        asked = [query for panel_id, queries in self._queries.items() if only is None or panel_id in only for query in queries]
        return await self._ask(start, end, asked, fresh=fresh)

    async def _ask(self, start: int, end: int, queries: list[LiveQuery], *, fresh: bool = False) -> Mapping[LiveQuery, Window]:
        queries = list(dict.fromkeys(queries))
        if self.shown.live:
            return await self.hub.windows(queries, fresh=fresh)
        return dict(zip(queries, await self.hub.once([(query, start, end) for query in queries]), strict=True))

    async def _reread(self) -> None:
        moment = now_ms()
        # A range that doesn't end now may have slid to another width of buckets.
        self._queries = self._plan(self._records, *self.shown.resolve(moment))
        self._show(moment, await self._read(moment))
        await self._explain_empty()
        await self._mark()

    def _on_tick(self, moment: int, windows: Mapping[LiveQuery, Window]) -> None:
        self._show(moment, windows)
        if moment - self._marked_ms >= _MARKED_EVERY_MS:
            self.mark()
        if any(_unexplained(panel) for panel in self.panels.values()):
            self._reading = asyncio.create_task(self._explain_empty())

    # -- showing -------------------------------------------------------------------------------------------------

    def _show(self, moment: int, windows: Mapping[LiveQuery, Window]) -> None:
        """Bring every panel to these windows."""
        with self.drawing.change():
            start, end = self._slide(moment)
            for panel_id in self.panels:
                self._show_panel(panel_id, windows, start, end)
            self._align()
        self._read_ms = moment

    def _slide(self, moment: int) -> tuple[int, int]:
        start, end = self.shown.resolve(moment)
        self.parts.slide(start, end)
        self.cards.range_ms = [float(start), float(end)]
        return start, end

    def _show_panel(self, panel_id: str, windows: Mapping[LiveQuery, Window], start: int, end: int) -> None:
        """One panel's failure stays in its own frame."""
        panel = self.panels[panel_id]
        answers = [windows[query] for query in self._queries[panel_id] if query in windows]
        if panel_id in self._errors or len(answers) < len(self._queries[panel_id]):
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

    def mark(self) -> None:
        """Show what alerts say now, where somebody looks on live."""
        under_way = self._marking is not None and not self._marking.done()
        if self._alerts is not None and self._subscription is not None and not under_way:
            self._marking = asyncio.create_task(self._mark())

    async def _mark(self) -> None:
        """Show on plots over time when alerts of the same fired, and in lists of alerts what is active; a statement each for
        the whole board."""
        plots = [panel for panel in self.panels.values() if isinstance(panel, TimePlot)]
        lists = [panel for panel in self.panels.values() if isinstance(panel, AlertsPanel)]
        metrics = {selection.query for panel in plots for selection, _ in panel.selections}
        self._marked_ms = now_ms()
        periods: Sequence[FiringPeriod] = ()
        active: Sequence[ActiveAlert] | None = None
        try:
            if self._alerts is not None and metrics:
                periods = await self._alerts.firing_periods(sorted(metrics), *self.shown.resolve(self._marked_ms))
            if self._alerts is not None and lists:
                active = await self._alerts.active(resolved=any("resolved" in panel.alert_states for panel in lists))
        except Exception as error:
            # The plots say themselves that the database is away.
            if not isinstance(error, DashappError):
                log.exception("alerts could not be read")
            said = str(error) if isinstance(error, DashappError) else "the alerts could not be read; the server's log says why"
            with self.drawing.change():
                for panel in lists:
                    panel.stale(float(self._marked_ms), said)
            return
        with self.drawing.change():
            for plot in plots:
                plot.mark(periods)
            for panel in lists:
                panel.tell(active)

    async def _explain_empty(self) -> None:
        """Say of an empty panel how old its newest sample is."""
        for panel in self.panels.values():
            if _unexplained(panel):
                try:
                    newest = [at for selection, _ in panel.selections if (at := await self.reader.newest(selection)) is not None]
                except DashappError:
                    continue
                with self.drawing.change():
                    panel.nothing_since(max(newest, default=None), now_ms())


def _drawn(record: PanelDefinition) -> tuple[object, ...]:
    """What a plot is made of."""
    return record.type, record.query, record.options.model_dump_json()


def _unexplained(panel: Panel) -> bool:
    return panel.card.state == "empty" and panel.asks and "; " not in panel.card.message
