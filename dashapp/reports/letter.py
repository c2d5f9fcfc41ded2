"""The mail that brings a report: a few sentences, the link, and the file."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlencode

from dashapp.alerts.channels.mail import domain_of
from dashapp.alerts.message import moment, stamp
from dashapp.contract.dashboards import Dashboard
from dashapp.contract.reports import Report
from dashapp.contract.timerange import TimeRange, from_ms
from dashapp.contract.variables import LINK_PREFIX


@dataclass(frozen=True)
class Letter:
    """One report as it is made."""

    report: Report
    dashboard: Dashboard
    #: What it shows, and when it was made, Unix ms.
    start_ms: int
    made_ms: int
    file_name: str
    content: bytes
    #: dashapp's own address, without a slash at the end.
    base_url: str
    #: The same when the same report is sent twice.
    identifier: str

    @property
    def title(self) -> str:
        """One line, whatever the dashboard is called: ``Web shop, last 7d``."""
        label = TimeRange(self.report.start, "now").label()
        words = f"{self.dashboard.name}, {label[0].lower()}{label[1:]}"
        return " ".join("".join(one if one.isprintable() else " " for one in words).split())

    @property
    def link(self) -> str:
        """The dashboard over the same range."""
        asked = [("from", stamp(from_ms(self.start_ms))), ("to", stamp(from_ms(self.made_ms)))]
        asked += [(LINK_PREFIX + name, value) for name, values in self.report.variables.items() for value in values]
        return f"{self.base_url}/d/{self.dashboard.id}?{urlencode(asked)}"

    def text(self) -> str:
        return (
            f"{self.title}: from {moment(from_ms(self.start_ms))} to {moment(from_ms(self.made_ms))}.\n\n"
            "The attached file opens in any browser, without a network. Live, and with everything that the dashboard can do:\n"
            f"{self.link}\n\n"
            f"This report is sent {self.report.when}, for {self.report.owner or 'nobody'}. On the dashboard's page,\n"
            "Share → Scheduled reports changes and ends it.\n"
        )

    def mail(self, sender: str) -> EmailMessage:
        domain, mail = domain_of(sender), EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = self.title, sender, ", ".join(self.report.emails)
        mail["Date"] = format_datetime(from_ms(self.made_ms))
        mail["Message-ID"] = f"<{self.identifier}@{domain}>"
        # Mail programs show one schedule's reports together.
        mail["References"] = f"<{self.report.id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(self.text())
        mail.add_attachment(self.content, "text", "html", filename=self.file_name, params={"charset": "utf-8"})
        return mail
