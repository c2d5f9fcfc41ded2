"""Reports that are due: mailed by a real SMTP server, kept in real folders, by one process, once for all that were missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashapp.accounts.accounts import Accounts
from dashapp.accounts.users import Users
from dashapp.contract.accounts import Role, User, UserUpdate
from dashapp.contract.dashboards import Dashboard, DashboardRequest, DashboardUpdate
from dashapp.contract.reports import Report, ReportRequest, ReportUpdate
from dashapp.contract.timerange import to_ms
from dashapp.dashboards.store import Dashboards
from dashapp.database.pool import Database
from dashapp.errors import DashappError, ValidationFailed
from dashapp.live.hub import LiveHub
from dashapp.metrics.query import Reader
from dashapp.reports import store
from dashapp.reports.runner import ReportRunner
from dashapp.reports.store import Reports
from dashapp.settings import Settings
from tests.alerts.receivers import Mailbox, mail_receiver
from tests.metrics.model import ManualClock

START = datetime(2026, 11, 25, 7, tzinfo=UTC)
AT_EIGHT = {"every": "day", "at": "08:00", "zone": "UTC"}


@dataclass
class World:
    """A dashboard of an admin, at seven in the morning."""

    database: Database
    mailbox: Mailbox
    folder: Path
    clock: ManualClock
    accounts: Accounts
    dashboards: Dashboards
    reports: Reports
    runner: ReportRunner
    admin: User
    dashboard: Dashboard

    def process(self) -> ReportRunner:
        """The runner of another process on the same database."""
        reader = Reader(self.database, self.settings)
        return ReportRunner(self.reports, self.dashboards, self.accounts, LiveHub(self.database, reader), reader, self.settings)

    @property
    def settings(self) -> Settings:
        given: dict[str, Any] = {
            "data_dir": self.folder.parent, "smtp_url": self.mailbox.url, "mail_from": "dashapp@example.org",
            "base_url": "https://dash.example.org",
        }  # fmt: skip
        return Settings(_env_file=None, **given)  # type: ignore[call-arg]

    def later(self, **span: float) -> None:
        self.clock.now_ms += timedelta(**span) // timedelta(milliseconds=1)

    async def report(self, owner: User | None = None, dashboard: Dashboard | None = None, **more: Any) -> Report:
        fields = {"schedule": AT_EIGHT, "emails": ["ada@example.org"], "start": "now-1d"} | more
        request = ReportRequest.model_validate(fields)
        return await self.reports.create(owner or self.admin, (dashboard or self.dashboard).id, request)

    async def user(self, name: str, role: Role) -> User:
        return await self.accounts.create_user(f"{name}@example.org", None, role)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.html"))


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    clock, accounts, dashboards = ManualClock(to_ms(START)), Accounts(database), Dashboards(database)
    admin = await accounts.create_user("admin@example.org", None, "admin")
    panel = {"title": "Notes on $host", "type": "text", "options": {"content": "All is well on $host."}}
    request = {"name": "Web shop", "panels": [panel], "variables": [{"name": "host", "values": ["a", "b"]}]}
    dashboard = await dashboards.create(admin.id, DashboardRequest.model_validate(request))
    async with mail_receiver() as mailbox:
        made = World(database, mailbox, tmp_path / "reports", clock, accounts, dashboards, None, None, admin, dashboard)  # type: ignore[arg-type]
        made.reports = Reports(database, made.settings, clock=clock)
        made.runner = made.process()
        yield made


async def test_a_report_is_mailed_and_kept_when_it_is_due(world: World) -> None:
    report = await world.report(folder="weekly", variables={"host": ["b"]})
    assert report.next_at == START.replace(hour=8)
    assert await world.runner.tick() == 0
    world.later(hours=1)
    assert await world.runner.tick() == 1
    assert await world.runner.tick() == 0

    (mail,) = world.mailbox.mails
    assert (mail["Subject"], mail["To"], mail["From"]) == ("Web shop, last 1d", "ada@example.org", "dashapp@example.org")
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    link = f"https://dash.example.org/d/{world.dashboard.id}?from=2026-11-24T08%3A00%3A00Z&to=2026-11-25T08%3A00%3A00Z&var-host=b"
    assert link in text
    assert "every day at 08:00 (UTC), for admin@example.org" in text
    (attached,) = mail.iter_attachments()
    assert (attached.get_content_type(), attached.get_filename()) == ("text/html", "web-shop-2026-11-25-0800.html")
    page = attached.get_content()
    assert "<title>Web shop · 2026-11-24 08:00 – 2026-11-25 08:00 UTC" in page
    assert "Notes on b" in page

    (file,) = world.files()
    assert file == f"weekly/web-shop-2026-11-25-0800-{report.id.hex[:8]}.html"
    assert (world.folder / file).read_text() == page
    now = await world.reports.get(report.id)
    assert (now.last_at, now.error, now.next_at) == (START.replace(hour=8), None, START.replace(day=26, hour=8))


async def test_what_was_missed_is_made_up_for_once(world: World) -> None:
    report = await world.report()
    world.later(days=5, hours=3)
    assert await world.runner.tick() == 1
    assert (await world.reports.get(report.id)).next_at == START.replace(day=1, month=12, hour=8)


async def test_one_process_delivers(world: World) -> None:
    for _ in range(3):
        await world.report()
    world.later(hours=2)
    tried = await asyncio.gather(*(process.tick() for process in (world.runner, world.process(), world.process())))
    assert sum(tried) == len(world.mailbox.mails) == 3
    assert len({mail["Message-ID"] for mail in world.mailbox.mails}) == 3


async def test_what_a_dead_process_had_in_hand_another_delivers_as_the_same_mail(world: World) -> None:
    await world.report(folder="daily")
    world.later(hours=1)
    assert (await world.reports.claim()) is not None, "and then the process dies"
    assert await world.runner.tick() == 0
    world.later(minutes=5)
    assert await world.runner.tick() == 1
    assert len(world.files()) == len(world.mailbox.mails) == 1
    assert str(to_ms(START.replace(hour=8))) in world.mailbox.mails[0]["Message-ID"], "named by when it was due"


async def test_one_that_ends_every_process_is_given_up(world: World) -> None:
    report = await world.report()
    world.later(hours=1)
    for _ in range(len(store.WAITS) + 1):
        assert (await world.reports.claim()) is not None, "and then the process dies"
        world.later(minutes=5)
    assert await world.runner.tick() == 1
    given_up = await world.reports.get(report.id)
    assert (world.mailbox.mails, given_up.retry_at) == ([], None)
    assert "ended each time" in str(given_up.error)


async def test_a_failure_is_told_tried_again_and_given_up(world: World) -> None:
    report = await world.report()
    world.mailbox.refuse = "451 come back later"
    world.later(hours=1)
    assert await world.runner.tick() == 1
    failed = await world.reports.get(report.id)
    assert "451 come back later" in str(failed.error)
    assert (failed.retry_at, failed.last_at) == (START.replace(hour=8, minute=1), None)
    assert await world.runner.tick() == 0
    for wait in store.WAITS:
        world.clock.now_ms += wait // timedelta(milliseconds=1)
        assert await world.runner.tick() == 1
    world.later(hours=20)
    assert await world.runner.tick() == 0
    given_up = await world.reports.get(report.id)
    assert (given_up.retry_at, given_up.next_at) == (None, START.replace(day=26, hour=8))
    assert given_up.error
    world.mailbox.refuse = ""
    world.later(hours=3)
    assert await world.runner.tick() == 1
    assert (await world.reports.get(report.id)).error is None
    figures = world.runner.figures
    assert (figures.delivered, figures.failed) == (1, 1 + len(store.WAITS))


async def test_an_address_that_is_refused_is_named_and_the_others_get_one_mail(world: World) -> None:
    report = await world.report(emails=["ada@example.org", "gone@example.org"])
    world.mailbox.unknown = {"gone@example.org"}
    world.later(hours=1)
    assert await world.runner.tick() == 1
    world.later(minutes=10)
    assert await world.runner.tick() == 0
    told = await world.reports.get(report.id)
    assert (told.error, len(world.mailbox.mails)) == ("the mail server refuses gone@example.org; the others got it.", 1)
    assert told.retry_at is None


async def test_it_shows_what_its_owner_may_see_at_that_moment(world: World) -> None:
    owner = await world.user("owner", "editor")
    request = DashboardRequest(name="Secret")
    theirs = await world.dashboards.create(world.admin.id, request.model_copy(update={"is_public": True}))
    hidden, closed = await world.report(owner, theirs), await world.report(owner, await world.dashboards.create(owner.id, request))
    await world.dashboards.update(theirs.id, DashboardUpdate(is_public=False))
    world.later(hours=1)
    assert await world.runner.tick() == 2
    assert (await world.reports.get(hidden.id)).error == "its owner owner@example.org may not see the dashboard any more."
    await Users(world.database, world.accounts).update(world.admin, owner.id, UserUpdate(disabled=True))
    world.later(days=1)
    assert await world.runner.tick() == 2
    assert "its owner's account is closed" in str((await world.reports.get(closed.id)).error)
    assert (await world.reports.get(closed.id)).retry_at is None
    assert len(world.mailbox.mails) == 1
    await Users(world.database, world.accounts).delete(world.admin, owner.id, "keep")
    assert (await world.reports.get(closed.id)).owner_id is None
    world.later(days=1)
    assert await world.runner.tick() == 2
    assert "its owner's account is closed" in str((await world.reports.get(hidden.id)).error)
    # Whoever saves it becomes its owner; whoever only resumes it doesn't.
    await world.reports.update(world.admin, hidden.id, ReportUpdate(paused=False))
    assert (await world.reports.get(hidden.id)).owner is None
    saved = await world.reports.update(world.admin, hidden.id, ReportUpdate(keep=3))
    assert saved.owner == "admin@example.org"


async def test_only_admins_reports_reach_folders(world: World) -> None:
    editor = await world.user("editor", "admin")
    report = await world.report(editor, emails=[], folder="daily")
    await Users(world.database, world.accounts).update(world.admin, editor.id, UserUpdate(role="editor"))
    await world.dashboards.update(world.dashboard.id, DashboardUpdate(is_public=True))
    world.later(hours=1)
    assert await world.runner.tick() == 1
    assert "is no admin any more" in str((await world.reports.get(report.id)).error)
    assert world.files() == []


async def test_paused_and_deleted_ones_wait(world: World) -> None:
    paused, gone = await world.report(paused=True), await world.report()
    assert paused.next_at is None
    await world.dashboards.delete(world.dashboard.id)
    world.later(days=2)
    assert await world.runner.tick() == 0
    await world.dashboards.restore(world.dashboard.id)
    resumed = await world.reports.update(world.admin, paused.id, ReportUpdate(paused=False))
    assert resumed.next_at == START.replace(day=27, hour=8), "from now on; what it missed it was to miss"
    assert await world.runner.tick() == 1
    assert (await world.reports.get(gone.id)).last_at == START.replace(day=27)


async def test_another_time_set_while_one_is_made_counts(world: World) -> None:
    report = await world.report()
    world.later(hours=1)
    due = await world.reports.claim()
    assert due is not None
    changed = await world.reports.update(
        world.admin, report.id, ReportUpdate.model_validate({"schedule": AT_EIGHT | {"at": "09:00"}})
    )
    assert changed.next_at == START.replace(hour=9)
    await world.reports.advance(due)
    assert (await world.reports.get(report.id)).next_at == START.replace(hour=9)


async def test_sent_now_its_times_stay(world: World) -> None:
    report = await world.report()
    sent = await world.runner.send(report)
    assert (sent.last_at, sent.next_at, sent.error) == (START, START.replace(hour=8), None)
    world.mailbox.refuse = "550 no"
    refused = await world.runner.send(report)
    assert "550 no" in str(refused.error)
    assert refused.retry_at is None


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a\nBcc: eve@example.org",
        "a\r\nSubject: b\r\n\r\nbody",
        '"><script>',
        "\u202eexe.fdp",
        "Übersicht 💶",
        "x" * 200,
    ],
)
async def test_hostile_names_stay_in_their_place(world: World, name: str) -> None:
    hostile = await world.dashboards.create(world.admin.id, DashboardRequest(name=name))
    await world.report(dashboard=hostile, folder="daily")
    world.later(hours=1)
    assert await world.runner.tick() == 1
    (mail,) = world.mailbox.mails
    assert (mail["To"], mail["Bcc"]) == ("ada@example.org", None)
    assert "".join(one for one in name if one.isalnum())[:5] in "".join(one for one in mail["Subject"] if one.isalnum())
    assert mail["Subject"].isprintable()
    (file,) = world.files()
    assert file.count("/") == 1
    assert file.isascii()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("emails", ["ada@example.org\nBcc: eve@example.org"]), ("emails", ["a@x, b@y"]), ("emails", ["Ada <ada@example.org>"]),
        ("folder", "../up"), ("folder", "a/b"), ("folder", "/etc"), ("folder", ".."), ("folder", ".hidden"), ("folder", "a\x00b"),
        ("start", "now"), ("start", "2026-01-01"), ("start", "now-99999d"), ("keep", 0),
        ("schedule", AT_EIGHT | {"at": "24:00"}), ("schedule", AT_EIGHT | {"zone": "../etc/passwd"}),
        ("schedule", AT_EIGHT | {"zone": "Mars/Olympus"}), ("schedule", {"every": "month", "day": 31}),
    ],
)  # fmt: skip
def test_what_no_report_can_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError):
        ReportRequest.model_validate({"schedule": AT_EIGHT, "emails": ["ada@example.org"], field: value})


async def test_an_update_must_leave_it_somebody_to_reach(world: World) -> None:
    report = await world.report()
    with pytest.raises(ValidationFailed, match="folder, or both"):
        await world.reports.update(world.admin, report.id, ReportUpdate(emails=[]))
    kept = await world.reports.update(world.admin, report.id, ReportUpdate(emails=[], folder="daily"))
    assert (kept.emails, kept.folder) == ([], "daily")
    with pytest.raises(DashappError):
        await world.reports.update(world.admin, report.id, ReportUpdate.model_validate({"folder": None}))
