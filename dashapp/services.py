"""What a running dashapp has: made once by `dashapp.server`, handed to the API and to the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashapp.accounts.accounts import Accounts
    from dashapp.accounts.limits import Limits
    from dashapp.accounts.provider import Provider
    from dashapp.accounts.users import Users
    from dashapp.alerts.active import ActiveAlerts
    from dashapp.alerts.evaluator import Evaluator
    from dashapp.alerts.events import History
    from dashapp.alerts.rules import Rules
    from dashapp.alerts.sender import Sender
    from dashapp.alerts.silences import Silences
    from dashapp.dashboards.published import Published
    from dashapp.dashboards.store import Dashboards
    from dashapp.database.notices import Notices
    from dashapp.database.pool import Database
    from dashapp.live.hub import LiveHub
    from dashapp.metrics.cache import CachedReader
    from dashapp.metrics.catalog import Catalog
    from dashapp.metrics.ingest import Ingest
    from dashapp.metrics.query import Reader
    from dashapp.reports.runner import ReportRunner
    from dashapp.reports.store import Reports
    from dashapp.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    notices: Notices
    accounts: Accounts
    users: Users
    limits: Limits
    dashboards: Dashboards
    published: Published
    ingest: Ingest
    catalog: Catalog
    reader: Reader
    #: Answers that may be a few seconds old; for the API, never for alerts or the live hub.
    cached: CachedReader
    hub: LiveHub
    rules: Rules
    silences: Silences
    history: History
    evaluator: Evaluator
    sender: Sender
    active_alerts: ActiveAlerts
    reports: Reports
    report_runner: ReportRunner
    #: Who else signs people in, where one is set.
    oidc: Provider | None = None
