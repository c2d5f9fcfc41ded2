"""The runner: makes the reports that are due and delivers them, at least once.

Every process runs; a report is claimed for a while, so that one process delivers it, and another where that one died.
Repetitions can be told: a mail has the same Message-ID, a file the same name.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from dashapp.accounts.accounts import Accounts
from dashapp.accounts.permissions import Actor, allowed
from dashapp.alerts.channels import DeliveryFailed
from dashapp.alerts.channels.mail import Mail
from dashapp.alerts.sender import Sent
from dashapp.contract.dashboards import Dashboard
from dashapp.contract.reports import Report
from dashapp.contract.timerange import TimeRange, from_ms, to_ms
from dashapp.dashboards.store import Dashboards
from dashapp.errors import DashappError, NotFound, Unavailable
from dashapp.live.hub import LiveHub
from dashapp.metrics.query import Reader
from dashapp.reports.folder import keep
from dashapp.reports.letter import Letter
from dashapp.reports.store import CLAIM, WAITS, Due, Reports
from dashapp.settings import Settings
from dashapp.snapshots.snapshot import file_name, snapshot

log = logging.getLogger(__name__)

#: Making and delivering one takes no longer, so that the claim outlasts it.
_LONGEST = CLAIM.total_seconds() * 0.8


class NotDelivered(Exception):
    """A report wasn't delivered. ``str(error)`` is one sentence."""

    def __init__(self, sentence: str, *, again: bool = True) -> None:
        super().__init__(sentence)
        #: Whether trying again may help.
        self.again = again


class ReportRunner:
    """One process's part. `tick` it every few seconds."""

    def __init__(
        self, reports: Reports, dashboards: Dashboards, accounts: Accounts, hub: LiveHub, reader: Reader, settings: Settings
    ) -> None:
        self.reports, self._dashboards, self._accounts = reports, dashboards, accounts
        self._hub, self._reader, self._settings = hub, reader, settings
        self._mail = Mail(settings.smtp_url.get_secret_value(), settings.mail_from)
        self.figures = Sent()

    async def tick(self) -> int:
        """Deliver what is due, one after the other; how many were tried.

        Raises:
            Unavailable: the database can't be reached; what is due waits.
        """
        tried = 0
        while (due := await self.reports.claim()) is not None:
            tried += 1
            await self._attempt(due)
        return tried

    async def send(self, report: Report) -> Report:
        """Make and deliver one now, whenever it is due; the report as it then stands, with what went wrong."""
        await self.reports.ran(report)
        await self._deliver(report, self.reports.now())
        return await self.reports.get(report.id)

    async def _attempt(self, due: Due) -> None:
        if due.attempt > len(WAITS) + 1:
            await self.reports.failed(due.report.id, "dashapp ended each time while it was made; a shorter range may do.")
            await self.reports.advance(due)
            return
        failure = await self._deliver(due.report, due.at)
        if failure is None or not failure.again or not await self.reports.try_again(due):
            await self.reports.advance(due)

    async def _deliver(self, report: Report, at: datetime) -> NotDelivered | None:
        """Try to; what went wrong is written down and answered. `at` names this report among its schedule's."""
        try:
            async with asyncio.timeout(_LONGEST):
                await self._make(report, at)
        except NotDelivered as error:
            failure = error
        except TimeoutError:
            failure = NotDelivered(f"making it took longer than {_LONGEST:.0f} s; a shorter range or fewer panels may do.")
        except Unavailable:
            raise
        except Exception as error:
            log.exception("the report %s could not be made", report.id)
            why = str(error) if isinstance(error, DashappError) else f"it failed inside dashapp ({type(error).__name__})."
            failure = NotDelivered(why)
        else:
            await self.reports.delivered(report.id)
            self.figures.delivered += 1
            return None
        self.figures.failed += 1
        log.warning("the report %s (%s) was not delivered: %s", report.id, report.when, failure)
        await self.reports.failed(report.id, str(failure))
        return failure

    async def _make(self, report: Report, at: datetime) -> None:
        """
        Raises:
            NotDelivered: its owner may not, or a file or mail didn't get where it should.
        """
        dashboard = await self._dashboard(report)
        made_ms = to_ms(self.reports.now())
        start_ms, _ = TimeRange(report.start, "now").resolve(made_ms)
        shown = TimeRange(from_ms(start_ms).isoformat(), from_ms(made_ms).isoformat())
        content = await snapshot(self._hub, self._reader, dashboard, shown, report.variables)
        # The file first: written twice it is one file, while a mail sent twice is two.
        if report.folder is not None:
            await self._keep(report, dashboard, at, content)
        if report.emails:
            letter = Letter(
                report, dashboard, start_ms, made_ms, file_name(dashboard, to_ms(at)), content, self._settings.public_url,
                identifier=f"{report.id}.{to_ms(at)}",
            )  # fmt: skip
            try:
                refused = await self._mail.post(report.emails, letter.mail)
            except DeliveryFailed as error:
                raise NotDelivered(str(error)) from None
            if refused:
                raise NotDelivered(f"the mail server refuses {', '.join(refused)}; the others got it.", again=False)

    async def _dashboard(self, report: Report) -> Dashboard:
        """What it shows, as far as its owner may see it just now."""
        owner = None if report.owner_id is None else await self._accounts.by_id(report.owner_id)
        if owner is None:
            raise NotDelivered("its owner's account is closed; whoever saves the report anew becomes its owner.", again=False)
        actor = Actor(owner)
        try:
            dashboard = await self._dashboards.get(report.dashboard_id)
        except NotFound:
            raise NotDelivered("the dashboard was deleted.", again=False) from None
        if not allowed(actor, "dashboard.read", dashboard):
            raise NotDelivered(f"its owner {owner.email} may not see the dashboard any more.", again=False)
        if report.folder is not None and not allowed(actor, "report.file"):
            raise NotDelivered(
                f"its owner {owner.email} is no admin any more, and only those keep reports in folders.", again=False
            )
        return dashboard

    async def _keep(self, report: Report, dashboard: Dashboard, at: datetime, content: bytes) -> None:
        mark = f"-{report.id.hex[:8]}"
        name = file_name(dashboard, to_ms(at), mark)
        base = self._settings.reports_folder
        try:
            await asyncio.to_thread(keep, base, str(report.folder), name, mark, content, report.keep)
        except OSError as error:
            raise NotDelivered(f"the folder {base / str(report.folder)} can't be written ({error.strerror}).") from None
        except ValueError as error:
            raise NotDelivered(f"{error}.", again=False) from None
