"""Notifications against real receivers: what arrives, what is tried again, what is muted, and in which order."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from dashapp.alerts import sender as sender_module
from dashapp.alerts.channels import DeliveryFailed
from dashapp.alerts.channels.addresses import resolve
from dashapp.alerts.channels.mail import Server
from dashapp.alerts.channels.services import Services
from dashapp.alerts.channels.webhook import Webhook
from dashapp.alerts.message import Message
from dashapp.alerts.sender import Sender, wait_after
from dashapp.contract.accounts import User
from dashapp.contract.alerts import Rule, SilenceRequest
from dashapp.settings import Settings
from tests.alerts.conftest import World
from tests.alerts.receivers import HttpReceiver, Mailbox, http_receiver, mail_receiver, until


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with http_receiver() as made:
        yield made


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with mail_receiver() as made:
        yield made


def sender_of(world: World, **more: Any) -> Sender:
    given = {"data_dir": "unused", "base_url": "https://dash.example.org", "webhook_allow_private": True} | more
    settings = Settings(_env_file=None, **given)  # type: ignore[arg-type, call-arg]
    return Sender(world.database, world.reader, settings)


async def send(sender: Sender) -> None:
    """All that may be sent now."""
    while await sender.pass_():
        await sender.idle()


async def due(world: World) -> None:
    """The time of the next attempts has come."""
    await world.sql("UPDATE alert_deliveries SET next_attempt_at = clock_timestamp() - interval '1 ms', claimed_until = NULL")


async def deliveries(world: World) -> list[tuple[str, str]]:
    rows = await world.sql("SELECT status, state FROM alert_deliveries ORDER BY n")
    return [(row["status"], row["state"]) for row in rows]


async def webhook_rule(world: World, receiver: HttpReceiver, **more: Any) -> Rule:
    return await world.rule(notification={"type": "webhook", "target": receiver.url}, **more)


class TestWebhook:
    async def test_firing_and_resolved_arrive_as_alertmanager_sends_them(self, world: World, receiver: HttpReceiver) -> None:
        rule = await webhook_rule(world, receiver, groupBy=["host"], severity="critical")
        sender = sender_of(world, webhook_secret="hush")
        await world.ticks_with(11, host="a")
        await send(sender)
        await world.ticks_with(1, host="a")
        await send(sender)
        firing, resolved = receiver.got
        assert set(firing.body) >= {"groupKey", "status", "receiver", "groupLabels", "externalURL"}
        assert set(firing.body) >= {"version", "commonLabels", "commonAnnotations", "alerts"}
        assert firing.body["version"] == "4"
        (alert,) = firing.body["alerts"]
        assert set(alert) >= {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}
        assert alert["labels"] == {"alertname": rule.name, "severity": "critical", "host": "a", "rule_id": str(rule.id)}
        assert alert["endsAt"] == "0001-01-01T00:00:00Z"
        assert alert["generatorURL"].startswith(f"https://dash.example.org/alerts/{rule.id}?from=")
        (after,) = resolved.body["alerts"]
        assert (firing.status, resolved.status, after["status"]) == ("firing", "resolved", "resolved")
        assert after["endsAt"] > after["startsAt"]
        for name in ("fingerprint", "startsAt"):
            assert alert[name] == after[name]
        assert firing.body["groupKey"] == resolved.body["groupKey"]
        assert firing.headers["webhook-id"] != resolved.headers["webhook-id"]
        signed = f"{firing.headers['webhook-id']}.{firing.headers['webhook-timestamp']}.".encode() + firing.raw
        expected = base64.b64encode(hmac.new(b"hush", signed, hashlib.sha256).digest()).decode()
        assert firing.headers["webhook-signature"] == f"v1,{expected}"
        assert await deliveries(world) == [("firing", "sent"), ("resolved", "sent")]
        event = (await world.events(rule))[0]
        assert event.deliveries[0].target == "http://127.0.0.1/…"

    @pytest.mark.parametrize("answer", [500, 404, 302, "drop"])
    async def test_what_fails_is_tried_again_with_the_same_id(
        self, world: World, receiver: HttpReceiver, answer: int | str
    ) -> None:
        await webhook_rule(world, receiver)
        sender = sender_of(world)
        receiver.answer, receiver.location = answer, receiver.url if answer == 302 else ""
        await world.ticks_with(11)
        await send(sender)
        assert receiver.got == []
        (row,) = await world.sql("SELECT * FROM alert_deliveries")
        assert (row["state"], row["attempts"]) == ("pending", 1)
        assert row["error"]
        assert timedelta(seconds=2) < row["next_attempt_at"] - row["first_attempt_at"] < timedelta(seconds=8)
        await send(sender)
        assert len(receiver.seen) == 1  # not before its time
        receiver.answer, receiver.location = 200, ""
        await due(world)
        await send(sender)
        (got,) = receiver.got
        assert got.headers["webhook-id"] == receiver.seen[0].headers["webhook-id"] == str(row["id"])
        assert await deliveries(world) == [("firing", "sent")]

    async def test_a_receiver_that_hangs_is_left_and_others_are_served(
        self, world: World, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dashapp.alerts.channels.webhook.TIMEOUT_SECONDS", 1.5)  # the other has to answer within it
        await webhook_rule(world, receiver)
        receiver.answer = "hang"
        async with http_receiver() as other:
            await webhook_rule(world, other)
            await world.ticks_with(11)
            await send(sender_of(world))
            assert len(other.got) == 1
        (row,) = await world.sql("SELECT * FROM alert_deliveries WHERE state = 'pending'")
        assert "didn't answer within" in row["error"]
        assert row["maybe_sent"]

    async def test_after_a_day_it_is_dead_and_shown(self, world: World, receiver: HttpReceiver) -> None:
        rule = await webhook_rule(world, receiver)
        receiver.answer, sender = 503, sender_of(world)
        await world.ticks_with(11)
        await send(sender)
        await world.sql("UPDATE alert_deliveries SET first_attempt_at = first_attempt_at - interval '25 hours'")
        await due(world)
        await send(sender)
        assert await deliveries(world) == [("firing", "dead")]
        (event,) = await world.events(rule)
        assert (event.deliveries[0].state, event.deliveries[0].attempts) == ("dead", 2)
        assert event.deliveries[0].error == "127.0.0.1 answered 503."
        await world.ticks_with(1)  # who never heard of it isn't told that it is over
        assert await deliveries(world) == [("firing", "dead")]

    async def test_private_addresses_are_refused(self, world: World, receiver: HttpReceiver) -> None:
        await webhook_rule(world, receiver)
        await world.ticks_with(11)
        await send(sender_of(world, webhook_allow_private=False))
        (row,) = await world.sql("SELECT * FROM alert_deliveries")
        assert "127.0.0.1, which is no public address" in row["error"]
        assert receiver.seen == []

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
         "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "localhost"],
    )  # fmt: skip
    async def test_what_is_private(self, host: str) -> None:
        with pytest.raises(DeliveryFailed, match="no public address"):
            await resolve(host, 80, allow_private=False)

    @pytest.mark.parametrize("host", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
    async def test_what_is_public(self, host: str) -> None:
        assert await resolve(host, 80, allow_private=False) == [host]

    async def test_a_name_is_resolved_once(self, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that leads elsewhere the second time it is asked for gets nobody inside."""
        answers = iter(["8.8.8.8", "127.0.0.1"])
        asked: list[str] = []
        loop = asyncio.get_running_loop()

        async def rebinding(host: str, port: int, **_: object) -> list[Any]:
            asked.append(host)
            return [(2, 1, 6, "", (next(answers) if host == "evil.example" else host, port))]

        monkeypatch.setattr(loop, "getaddrinfo", rebinding)
        monkeypatch.setattr("dashapp.alerts.channels.webhook.TIMEOUT_SECONDS", 0.5)
        with pytest.raises(DeliveryFailed):
            await Webhook(allow_private=False).send(receiver.url.replace("127.0.0.1", "evil.example"), message())
        assert asked.count("evil.example") == 1
        assert receiver.seen == []


def message(**more: Any) -> Message:
    return Message(**({
        "id": uuid4(), "rule_id": uuid4(), "rule_name": "CPU", "severity": "critical", "summary": "avg of cpu > 90",
        "incident": uuid4(), "status": "firing", "triggered_at": datetime(2026, 11, 24, tzinfo=UTC), "value": 95.0,
        "tags": {"host": "<a>"},
    } | more))  # fmt: skip


class TestOrder:
    async def test_a_firing_that_nobody_got_is_dropped_with_its_resolved(self, world: World, receiver: HttpReceiver) -> None:
        rule = await webhook_rule(world, receiver)
        sender = sender_of(world)
        receiver.answer = 500
        await world.ticks_with(11)
        await send(sender)
        await world.ticks_with(1)
        receiver.answer = 200
        await due(world)
        await send(sender)
        assert receiver.got == []
        assert await deliveries(world) == [("firing", "dropped"), ("resolved", "dropped")]
        assert (await world.events(rule))[0].deliveries[0].error.startswith("resolved before it could be delivered.")  # type: ignore[union-attr]

    async def test_a_firing_that_may_have_arrived_is_resolved(
        self, world: World, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await webhook_rule(world, receiver)
        sender = sender_of(world)
        receiver.answer = "hang"
        await world.ticks_with(11)
        with monkeypatch.context() as impatient:
            impatient.setattr("dashapp.alerts.channels.webhook.TIMEOUT_SECONDS", 0.5)
            await send(sender)
        assert len(receiver.seen) == 1
        await world.ticks_with(1)
        receiver.answer = 200
        await due(world)
        await send(sender)
        assert [got.status for got in receiver.got] == ["resolved"]
        assert await deliveries(world) == [("firing", "dropped"), ("resolved", "sent")]

    async def test_the_next_incident_waits_for_the_resolved_before(self, world: World, receiver: HttpReceiver) -> None:
        await webhook_rule(world, receiver)
        sender = sender_of(world)
        await world.ticks_with(11)
        await send(sender)
        receiver.answer = 500
        await world.ticks_with(1)
        await send(sender)
        await world.ticks_with(11)
        await send(sender)
        assert [got.status for got in receiver.seen] == ["firing", "resolved"]
        receiver.answer = 200
        await due(world)
        await send(sender)
        assert [got.status for got in receiver.got] == ["firing", "resolved", "firing"]

    async def test_two_senders_send_once(self, world: World, receiver: HttpReceiver) -> None:
        for _ in range(20):
            await webhook_rule(world, receiver)
        await world.ticks_with(11)
        await asyncio.gather(*(send(sender_of(world)) for _ in range(3)))
        assert len(receiver.got) == len({got.headers["webhook-id"] for got in receiver.got}) == 20

    async def test_what_a_dead_process_had_in_hand_is_sent_by_the_next(self, world: World, receiver: HttpReceiver) -> None:
        await webhook_rule(world, receiver)
        await world.ticks_with(11)
        receiver.answer, dead = "hang", sender_of(world)
        await dead.pass_()
        while not receiver.seen:
            await asyncio.sleep(0.01)
        for task in list(dead._in_hand):
            task.cancel()
        receiver.answer = 200
        await send(sender_of(world))
        assert receiver.got == []  # it may still be at it
        await due(world)
        await send(sender_of(world))
        assert receiver.got[0].headers["webhook-id"] == receiver.seen[0].headers["webhook-id"]

    def test_waits_grow_and_spread(self) -> None:
        longest = [wait_after(attempt, jitter=lambda _, high: high) for attempt in range(1, 15)]
        assert longest[:4] == [5, 10, 20, 40]
        assert longest[-1] == 1800
        assert len({wait_after(3) for _ in range(20)}) > 15
        assert all(10 <= wait_after(3) <= 20 for _ in range(50))


class TestQuiet:
    async def test_a_silence_mutes_firing_until_it_ends(self, world: World, receiver: HttpReceiver) -> None:
        rule = await webhook_rule(world, receiver, groupBy=["host"])
        user = await someone(world)
        silence = await world.silences.create(
            user, SilenceRequest(tags={"host": "a"}, ends_at=datetime(2099, 1, 1, tzinfo=UTC), reason="works")
        )
        sender = sender_of(world)
        world.clock.now_ms += 10_000
        for host in "ab":
            await world.write(11, host=host)
        await world.evaluator.tick()
        await send(sender)
        assert [got.body["alerts"][0]["labels"]["host"] for got in receiver.got] == ["b"]
        muted = next(one for one in await world.events(rule) if one.tags == {"host": "a"})
        assert muted.deliveries[0].state == "muted"
        await world.silences.delete(silence.id)
        await send(sender)
        assert [got.body["alerts"][0]["labels"]["host"] for got in receiver.got] == ["b", "a"]

    async def test_resolved_is_sent_whenever_its_firing_was(self, world: World, receiver: HttpReceiver) -> None:
        await webhook_rule(world, receiver)
        sender = sender_of(world)
        await world.ticks_with(11)
        await send(sender)
        await world.silences.create(await someone(world), SilenceRequest(ends_at=datetime(2099, 1, 1, tzinfo=UTC)))
        await world.ticks_with(1)
        await send(sender)
        assert [got.status for got in receiver.got] == ["firing", "resolved"]

    async def test_what_came_and_went_in_silence_is_never_told(self, world: World, receiver: HttpReceiver) -> None:
        await webhook_rule(world, receiver, severity="info")
        sender = sender_of(world)
        silence = await world.silences.create(
            await someone(world), SilenceRequest(severity="info", ends_at=datetime(2099, 1, 1, tzinfo=UTC))
        )
        await world.ticks_with(11)
        await send(sender)
        await world.ticks_with(1)
        await send(sender)
        await world.silences.delete(silence.id)
        await send(sender)
        assert receiver.seen == []
        assert await deliveries(world) == [("firing", "dropped"), ("resolved", "dropped")]

    async def test_a_pause_mutes_and_its_end_tells(self, world: World, receiver: HttpReceiver) -> None:
        rule = await webhook_rule(world, receiver)
        sender = sender_of(world)
        await world.rules.pause(rule.id, None)
        await world.ticks_with(11)
        assert await world.state(rule) == "firing"
        await send(sender)
        assert receiver.seen == []
        await world.rules.resume(rule.id)
        await send(sender)
        assert [got.status for got in receiver.got] == ["firing"]


async def someone(world: World) -> User:
    (row,) = await world.sql("INSERT INTO users (email, role) VALUES ('ada@example.org', 'editor') RETURNING *")
    return User(id=row["id"], email=row["email"], role=row["role"], created_at=row["created_at"])


class TestMail:
    async def test_text_html_and_a_picture(self, world: World, mailbox: Any) -> None:
        rule = await world.rule(
            notification={"type": "email", "target": "ada@example.org, bob@example.org"}, name="CPU <high>\nBcc: x"
        )
        for minutes in range(1, 60):
            await world.write(float(minutes % 7), at=world.now - minutes * 60_000)
        await world.ticks_with(11)
        sender = sender_of(world, smtp_url=mailbox.url, mail_from="dashapp@example.org")
        await send(sender)
        await world.ticks_with(1)
        await send(sender)
        firing, resolved = mailbox.mails
        assert firing["Subject"] == "[firing] CPU <high> Bcc: x"
        assert (firing["From"], firing["To"]) == ("dashapp@example.org", "ada@example.org, bob@example.org")
        assert resolved["Subject"].startswith("[resolved]")
        assert firing["References"] == resolved["References"]
        assert firing["Message-ID"] != resolved["Message-ID"]
        text = firing.get_body(("plain",)).get_content()
        assert f"https://dash.example.org/alerts/{rule.id}?from=" in text
        assert "The value is 11." in text
        assert "CPU &lt;high&gt;" in firing.get_body(("html",)).get_content()
        (picture,) = [part for part in firing.walk() if part.get_content_type() == "image/png"]
        assert picture["Content-ID"] == "<plot>"
        assert picture.get_content().startswith(b"\x89PNG")

    async def test_a_refusal_is_told_and_tried_again(self, world: World, mailbox: Any) -> None:
        await world.rule(notification={"type": "email", "target": "ada@example.org"})
        await world.ticks_with(11)
        mailbox.refuse, sender = "451 come back later", sender_of(world, smtp_url=mailbox.url)
        await send(sender)
        (row,) = await world.sql("SELECT * FROM alert_deliveries")
        assert (row["state"], row["maybe_sent"]) == ("pending", False)
        assert "451 come back later" in row["error"]
        mailbox.refuse = ""
        await due(world)
        await send(sender)
        assert len(mailbox.mails) == 1
        assert str(row["id"]) in mailbox.mails[0]["Message-ID"]

    async def test_without_a_server_it_says_what_to_set(self, world: World) -> None:
        rule = await world.rule(notification={"type": "email", "target": "ada@example.org"})
        told = await sender_of(world).test(rule)
        assert (told.sent, told.error) == (False, "no mail server is set; set DASHAPP_SMTP_URL and DASHAPP_MAIL_FROM.")

    async def test_a_password_is_not_sent_in_clear(self, world: World, mailbox: Any) -> None:
        rule = await world.rule(notification={"type": "email", "target": "ada@example.org"})
        told = await sender_of(world, smtp_url=mailbox.url.replace("//", "//user:secret@")).test(rule)
        assert "a password isn't sent in clear" in str(told.error)
        assert "secret" not in str(told.error)

    @pytest.mark.parametrize(
        ("url", "server"),
        [
            ("smtps://u%40x:p%2Fw@mail.example.org", Server("mail.example.org", 465, "u@x", "p/w", "implicit")),
            ("smtp://mail.example.org", Server("mail.example.org", 587, "", "", "auto")),
            ("smtp://mail.example.org:25?tls=always", Server("mail.example.org", 25, "", "", "always")),
        ],
    )
    def test_the_servers_url(self, url: str, server: Server) -> None:
        assert Server.parse(url) == server

    @pytest.mark.parametrize("url", ["http://x", "smtp://", "smtp://x?tls=maybe", "smtp://x:y"])
    def test_a_bad_url_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"SMTP_URL|Port|port"):
            Server.parse(url)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it has TLS from the first byte
class TestTls:
    """Mail servers with TLS, whose certificate is signed by an authority that this machine trusts, or doesn't."""

    @pytest.fixture
    async def secure(self, request: pytest.FixtureRequest, authority: trustme.CA) -> AsyncIterator[Any]:
        """TLS from the first byte or by STARTTLS; whoever signs in as ada with the right password may send."""
        box: Any = Mailbox()
        box.signed_in = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        implicit = request.param == "smtps"

        def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
            box.signed_in.append((data.login, server.transport.get_extra_info("ssl_object") is not None))
            return AuthResult(success=data.password == b"secret", handled=False)

        def protocol() -> SMTP:
            return SMTP(
                box, hostname="mail.test", authenticator=check, auth_required=True, auth_require_tls=not implicit,
                tls_context=None if implicit else context, require_starttls=not implicit,
            )  # fmt: skip

        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if implicit else None)
        box.url = f"{request.param}://ada:secret@localhost:{server.sockets[0].getsockname()[1]}"
        yield box
        server.close()

    @pytest.mark.parametrize("secure", ["smtp", "smtps"], indirect=True)
    async def test_a_mail_goes_through_tls(
        self, world: World, secure: Any, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        rule = await world.rule(notification={"type": "email", "target": "ada@example.org"})
        told = await sender_of(world, smtp_url=secure.url).test(rule)
        assert told.error is None
        assert [mail["To"] for mail in secure.mails] == ["ada@example.org"]
        assert secure.signed_in == [(b"ada", True)]
        wrong = await sender_of(world, smtp_url=secure.url.replace("secret", "guess")).test(rule)
        assert "535" in str(wrong.error)
        assert "guess" not in str(wrong.error)

    @pytest.mark.parametrize("secure", ["smtp", "smtps"], indirect=True)
    async def test_a_certificate_of_nobody_known_is_refused(self, world: World, secure: Any) -> None:
        rule = await world.rule(notification={"type": "email", "target": "ada@example.org"})
        told = await sender_of(world, smtp_url=secure.url).test(rule)
        assert str(told.error).startswith("no TLS with the mail server localhost")
        assert (secure.mails, secure.signed_in) == ([], [])

    async def test_who_insists_on_tls_sends_nothing_without(self, world: World, mailbox: Any) -> None:
        rule = await world.rule(notification={"type": "email", "target": "ada@example.org"})
        told = await sender_of(world, smtp_url=f"{mailbox.url}?tls=always").test(rule)
        assert (told.sent, mailbox.mails) == (False, [])
        assert "STARTTLS" in str(told.error)


class TestServices:
    async def test_a_services_url_is_sent_to(self, world: World, receiver: HttpReceiver) -> None:
        rule = await world.rule(notification={"type": "apprise", "target": receiver.url.replace("http://", "json://")})
        await world.ticks_with(11)
        await send(sender_of(world))
        assert receiver.seen[0].body["title"] == f"[firing] {rule.name}"
        assert await deliveries(world) == [("firing", "sent")]

    @pytest.mark.parametrize(
        ("target", "error"),
        [
            ("syslog://localhost", "isn't sent to"),
            ("mailto://u:p@example.org?smtp=127.0.0.1", "isn't sent to"),
            ("slack://x", "can't be read"),
            ("nonsense://x", "can't be read"),
            ("json://127.0.0.1/x", "no public address"),
            ("gotify://localhost/token", "no public address"),
        ],
    )
    async def test_what_is_refused(self, target: str, error: str) -> None:
        with pytest.raises(DeliveryFailed, match=error):
            await Services(allow_private=False).send(target, message())

    @pytest.mark.parametrize("query", ["", "?redirect=yes"])
    async def test_redirects_are_not_followed(self, receiver: HttpReceiver, query: str) -> None:
        """They could lead to an address that nobody has checked."""
        async with http_receiver() as inside:
            receiver.answer, receiver.location = 307, inside.url
            with pytest.raises(DeliveryFailed, match="didn't take it"):
                await Services(allow_private=True).send(receiver.url.replace("http://", "json://") + query, message())
            assert len(receiver.seen) == 1
            assert inside.seen == []


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"base_url": "https://dash.example.org/"}, "https://dash.example.org/alerts/"),
        ({"base_url": "", "port": 4711}, "http://127.0.0.1:4711/alerts/"),
        ({"base_url": "", "port": 4711, "host": "0.0.0.0"}, "http://127.0.0.1:4711/alerts/"),
        ({"base_url": "", "port": 4711, "host": "::1"}, "http://[::1]:4711/alerts/"),
    ],
)
async def test_links_lead_to_dashapp(world: World, receiver: HttpReceiver, settings: dict[str, Any], start: str) -> None:
    rule = await webhook_rule(world, receiver)
    assert (await sender_of(world, **settings).test(rule)).sent
    link = receiver.got[0].body["alerts"][0]["generatorURL"]
    assert link.startswith(f"{start}{rule.id}?from=")


async def test_a_test_goes_out_at_once_and_is_no_event(world: World, receiver: HttpReceiver) -> None:
    rule = await webhook_rule(world, receiver)
    sender = sender_of(world)
    assert (await sender.test(rule)).sent
    assert receiver.got[0].body["commonAnnotations"]["summary"] == f"[test] [firing] {rule.name}"
    receiver.answer = 500
    told = await sender.test(rule)
    assert (told.sent, told.error) == (False, "127.0.0.1 answered 500.")
    assert await world.events() == []


async def test_the_loop_delivers_by_itself_when_woken(world: World, receiver: HttpReceiver) -> None:
    await webhook_rule(world, receiver)
    sender = sender_of(world)
    sender.start()
    try:
        await world.ticks_with(11)
        sender.wake()
        await until(lambda: receiver.got, "the delivery")
    finally:
        await sender.stop()
    assert timedelta(seconds=20) < sender_module.CLAIM
