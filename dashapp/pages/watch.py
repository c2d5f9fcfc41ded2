"""Open pages follow their dashboards: what somebody saves shows everywhere without a reload."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from uuid import UUID

from dashapp.accounts.permissions import Actor, allowed
from dashapp.dashboards.store import CHANNEL
from dashapp.errors import DashappError, NotFound

if TYPE_CHECKING:
    from dashapp.contract.accounts import User
    from dashapp.live.boards import Boards
    from dashapp.pages.view import DashboardView
    from dashapp.services import Services

log = logging.getLogger(__name__)
_GONE = "This dashboard was deleted, or is no longer shared with you; what you see is not fresh."


class Watch:
    """The open pages of this process. A change is read once, whoever looks on."""

    def __init__(self, services: Services, boards: Boards) -> None:
        self._services, self._boards = services, boards
        self._open: dict[UUID, dict[DashboardView, User]] = {}
        #: Dashboards to read; those that change again while they are read are read again.
        self._changed: set[UUID] = set()
        self._task: asyncio.Task[None] | None = None
        services.notices.listen(CHANNEL, self._heard)

    def add(self, view: DashboardView, user: User) -> None:
        """Keep `view` as its dashboard is stored, until it closes."""
        self._open.setdefault(view.dashboard.id, {})[view] = user
        view.closed.append(lambda: self._remove(view))

    def _remove(self, view: DashboardView) -> None:
        views = self._open.get(view.dashboard.id, {})
        views.pop(view, None)
        if not views:
            self._open.pop(view.dashboard.id, None)

    def _heard(self, payload: str) -> None:
        # Without a payload any may have changed.
        self._changed |= {UUID(payload)} & set(self._open) if payload else set(self._open)
        if self._changed and self._task is None:
            self._task = asyncio.create_task(self._bring())

    async def _bring(self) -> None:
        try:
            while self._changed:
                dashboard_id = self._changed.pop()
                try:
                    await self._bring_one(dashboard_id)
                except DashappError as error:
                    log.warning("open pages couldn't follow a change of their dashboard: %s", error)
        finally:
            self._task = None

    async def _bring_one(self, dashboard_id: UUID) -> None:
        try:
            dashboard = await self._services.dashboards.get(dashboard_id)
        except NotFound:
            dashboard = None
        for view, user in list(self._open.get(dashboard_id, {}).items()):
            if dashboard is not None and allowed(Actor(user), "dashboard.read", dashboard):
                view.dashboard = dashboard
            else:
                view.withdraw(_GONE)
        if dashboard is not None:
            await self._boards.adopt(dashboard)
