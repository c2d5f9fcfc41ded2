"""The sender: takes what waits in the outbox and delivers it, at least once, in order for each instance and channel.

Every process sends; rows are claimed for a while, so that what a dead process had in hand is sent by another. The id of a
delivery never changes, so that a receiver can tell a repetition.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from dashapp.alerts.channels import DeliveryFailed
from dashapp.alerts.channels.mail import Mail
from dashapp.alerts.channels.services import Services
from dashapp.alerts.channels.webhook import Webhook
from dashapp.alerts.message import Message
from dashapp.alerts.picture import draw
from dashapp.alerts.rows import stored_of
from dashapp.contract.alerts import ChannelType, Notification, Rule, RuleDefinition, TestSent
from dashapp.contract.metrics import MetricQuery
from dashapp.contract.timerange import from_ms, to_ms
from dashapp.database import sql
from dashapp.database.pool import Database, Row
from dashapp.errors import DashappError, Unavailable
from dashapp.metrics.clock import HOUR
from dashapp.metrics.query import Reader
from dashapp.settings import Settings

log = logging.getLogger(__name__)
_SQL = sql.load("dashapp.alerts", "outbox.sql")

#: How long a claimed row is left to its process; longer than any attempt takes.
CLAIM = timedelta(seconds=30)
#: After so long an attempt is the last.
GIVE_UP = timedelta(hours=24)
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 1800.0
_AT_ONCE = 16
#: How often the outbox is looked at when nobody says that there is something.
_LOOK_SECONDS = 2.0
_PICTURE_MS = 6 * HOUR


def wait_after(attempts: int, *, jitter: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds until the next attempt: twice as long each time up to half an hour, spread so that many don't come at once."""
    return min(_FIRST_WAIT * 2.0 ** min(attempts - 1, 20), _LONGEST_WAIT) * jitter(0.5, 1.0)


@dataclass
class Sent:
    """Figures for ``/metrics``."""

    delivered: int = 0
    failed: int = 0


class Sender:
    """Delivers what waits. `start` it on the loop that uses it."""

    def __init__(self, database: Database, reader: Reader, settings: Settings) -> None:
        self.database, self.reader, self.settings = database, reader, settings
        private = settings.webhook_allow_private
        self._webhook = Webhook(allow_private=private, secret=settings.webhook_secret.get_secret_value())
        self._mail = Mail(settings.smtp_url.get_secret_value(), settings.mail_from)
        self._services = Services(allow_private=private)
        self.figures = Sent()
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._in_hand: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="dashapp-sender")

    async def stop(self) -> None:
        """Take nothing more; what is in hand gets a moment, and is sent by another process if that doesn't do."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=3)
        for task in self._in_hand:
            task.cancel()

    def wake(self) -> None:
        """Something waits."""
        self._wake.set()

    async def test(self, rule: Rule) -> TestSent:
        """Send a test of a rule's notification now."""
        if rule.notification is None:
            return TestSent(sent=False, error="This rule tells nobody; give it an e-mail, a webhook or an Apprise URL first.")
        now = from_ms(to_ms(rule.updated_at) if rule.since is None else to_ms(rule.since))
        message = Message(
            id=uuid4(), rule_id=rule.id, rule_name=rule.name, severity=rule.severity, summary=rule.sentence(), incident=uuid4(),
            status="firing", triggered_at=now, value=rule.value, base_url=self.settings.public_url, test=True,
            tags=rule.instances[0].tags if rule.instances else {},
        )  # fmt: skip
        try:
            await self._deliver(rule.notification, message, rule)
        except DeliveryFailed as failure:
            return TestSent(sent=False, error=str(failure))
        return TestSent(sent=True)

    # -- the loop ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                if not await self.pass_():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_SECONDS):
                            await self._wake.wait()
                self._wake.clear()
            except Unavailable:
                await asyncio.sleep(_LOOK_SECONDS)
            except Exception:
                log.exception("the sender of notifications failed")
                await asyncio.sleep(_LOOK_SECONDS)

    async def pass_(self) -> int:
        """Take what may be sent now, as far as there is room; how many were taken.

        Raises:
            Unavailable: the database can't be reached.
        """
        room = _AT_ONCE - len(self._in_hand)
        if room <= 0:
            await asyncio.wait(self._in_hand, return_when=asyncio.FIRST_COMPLETED)
            return 1
        async with self.database.connection() as connection:
            await connection.execute(_SQL["drop_overtaken"])
            rows = await (await connection.execute(_SQL["claim"], {"limit": room, "lease": CLAIM})).fetchall()
        for row in rows:
            task = asyncio.create_task(self._attempt(row), name=f"dashapp-delivery-{row['id']}")
            self._in_hand.add(task)
            task.add_done_callback(self._done)
        return len(rows)

    async def idle(self) -> None:
        """Wait until nothing is in hand."""
        while self._in_hand:
            await asyncio.wait(self._in_hand)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        self._wake.set()  # the next of its stream may follow
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what became of a notification could not be written: %s", error)

    async def _attempt(self, row: Row) -> None:
        values: dict[str, Any] = dict(row)
        try:
            notification = Notification.model_construct(type=cast(ChannelType, values["type"]), target=values["target"])
            fields = {name: values[name] for name in Message.__dataclass_fields__ if name in values}
            rule = await self._rule(values["rule_id"]) if notification.type == "email" else None
            await self._deliver(notification, Message(**fields, base_url=self.settings.public_url), rule)
        except DeliveryFailed as failure:
            await self._failed(values, failure)
        except Exception as error:
            log.exception("a notification could not be sent")
            await self._failed(values, DeliveryFailed(f"it failed inside dashapp ({type(error).__name__}).", maybe_sent=True))
        else:
            self.figures.delivered += 1
            async with self.database.connection() as connection:
                await connection.execute(_SQL["sent"], {"id": values["id"]})

    async def _failed(self, row: dict[str, Any], failure: DeliveryFailed) -> None:
        self.figures.failed += 1
        log.info("a notification of %s failed, attempt %d: %s", row["rule_name"], row["attempts"], failure)
        seconds = max(wait_after(row["attempts"]), failure.retry_after)
        async with self.database.connection() as connection:
            await connection.execute(
                _SQL["failed"],
                {
                    "id": row["id"], "error": str(failure), "wait": timedelta(seconds=seconds), "give_up": GIVE_UP,
                    "maybe_sent": bool(row["maybe_sent"]) or failure.maybe_sent,
                },
            )  # fmt: skip

    async def _deliver(self, notification: Notification, message: Message, rule: RuleDefinition | None) -> None:
        match notification.type:
            case "webhook":
                await self._webhook.send(notification.target, message)
            case "email":
                await self._mail.send(notification.target, message, await self._picture(message, rule))
            case "apprise":
                await self._services.send(notification.target, message)

    async def _rule(self, rule_id: UUID) -> RuleDefinition | None:
        async with self.database.connection() as connection:
            row = await (await connection.execute("SELECT * FROM alert_rules WHERE id = %s", (rule_id,))).fetchone()
        stored = stored_of(row) if row else None
        return None if stored is None or stored.unread else stored.rule

    async def _picture(self, message: Message, rule: RuleDefinition | None) -> bytes | None:
        """The last hours of the series that it is about; a mail goes out without one, too."""
        if rule is None:
            return None
        end = to_ms(message.resolved_at or message.triggered_at) + 60_000
        start = end - _PICTURE_MS
        try:
            series = rule.selection.model_copy(update={"tags": rule.tags | message.tags})
            frame = await self.reader.frame(MetricQuery.over(series, start, end, max_points=300))
            return await asyncio.to_thread(draw, frame, start, end, rule.threshold)
        except (DashappError, ValueError, OSError) as error:
            log.info("a mail goes out without its picture: %s", error)
            return None
