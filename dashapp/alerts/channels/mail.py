"""E-mail over SMTP: text and HTML with a picture of the last hours. The library is the standard one, in a thread."""

from __future__ import annotations

import asyncio
import html
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from dashapp.alerts.channels import DeliveryFailed
from dashapp.alerts.message import Message, moment

TIMEOUT_SECONDS = 15.0
NO_SERVER = "no mail server is set; set DASHAPP_SMTP_URL and DASHAPP_MAIL_FROM."
_COLORS = {"critical": "#c4322b", "warning": "#b7791f", "info": "#2b6cb0"}


@dataclass(frozen=True)
class Server:
    """``smtps://user:password@host:465``, or ``smtp://host:587?tls=auto|always|never``."""

    host: str
    port: int
    user: str
    password: str
    #: ``implicit`` from the first byte; ``always``, ``auto`` or ``never`` say whether STARTTLS is asked for.
    tls: str

    @classmethod
    def parse(cls, url: str) -> Server:
        """
        Raises:
            ValueError: the URL can't be read; the sentence doesn't repeat it, because it holds a password.
        """
        parts = urlsplit(url)
        tls = parse_qs(parts.query).get("tls", ["auto"])[0]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or tls not in ("auto", "always", "never"):
            raise ValueError("SMTP_URL is like smtps://user:password@host:465 or smtp://host:587, with ?tls=auto, always or never")
        implicit = parts.scheme == "smtps"
        return cls(
            parts.hostname, parts.port or (465 if implicit else 587), unquote(parts.username or ""), unquote(parts.password or ""),
            "implicit" if implicit else tls,
        )  # fmt: skip


def domain_of(sender: str) -> str:
    """The domain in which a mail's ids are its own."""
    return sender.rpartition("@")[2].rstrip(">") or "dashapp"


def compose(message: Message, sender: str, recipients: list[str], picture: bytes | None) -> EmailMessage:
    """The mail. Its Message-ID is the message's stable id; mails of one incident are a thread."""
    domain, mail = domain_of(sender), EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.title, sender, ", ".join(recipients)
    mail["Date"] = format_datetime(message.resolved_at or message.triggered_at)
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    mail["References"] = f"<{message.incident}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Dashapp-Fingerprint"] = message.fingerprint
    mail.set_content(f"{message.text}\n\n{_details(message)}\n\n{message.link}\n")
    mail.add_alternative(_html(message, with_picture=picture is not None), subtype="html")
    if picture is not None:
        page = mail.get_payload()[1]  # type: ignore[index]
        page.add_related(picture, "image", "png", cid="<plot>", filename="plot.png", disposition="inline")  # type: ignore[union-attr]
    return mail


def _rows(message: Message) -> list[tuple[str, str]]:
    rows = [("Rule", message.rule_name), ("Severity", message.severity), ("Condition", message.summary)]
    if message.tags:
        rows.append(("Series", message.where))
    if message.value is not None:
        rows.append(("Value", f"{message.value:g}"))
    rows.append(("Since", moment(message.triggered_at)))
    if message.resolved_at is not None:
        rows.append(("Resolved", moment(message.resolved_at)))
    return rows


def _details(message: Message) -> str:
    return "\n".join(f"{name + ':':<11}{value}" for name, value in _rows(message))


def _html(message: Message, *, with_picture: bool) -> str:
    rows = "".join(
        f'<tr><td style="padding:2px 12px 2px 0;color:#666">{html.escape(name)}</td><td>{html.escape(value)}</td></tr>'
        for name, value in _rows(message)
    )
    color = "#2f855a" if message.status == "resolved" else _COLORS[message.severity]
    plot = '<p><img src="cid:plot" alt="The last hours" width="600" height="200"></p>' if with_picture else ""
    return (
        f'<html><body style="font-family:sans-serif;font-size:14px;color:#222">'
        f'<h2 style="font-size:17px;margin:0 0 8px;color:{color}">{html.escape(message.title)}</h2>'
        f"<p>{html.escape(message.text)}</p><table>{rows}</table>{plot}"
        f'<p><a href="{html.escape(message.link)}">Open in dashapp</a></p></body></html>'
    )


class Mail:
    """Sends to e-mail addresses."""

    def __init__(self, url: str, sender: str) -> None:
        self._url, self._sender = url, sender

    async def send(self, target: str, message: Message, picture: bytes | None = None) -> None:
        """Tell of an event, as `post` does."""
        recipients = [address.strip() for address in target.split(",")]
        await self.post(recipients, lambda sender: compose(message, sender, recipients, picture))

    async def post(self, recipients: list[str], write: Callable[[str], EmailMessage]) -> list[str]:
        """Send the mail that `write` makes for its sender; answers the recipients whom the server refuses where it takes others.

        Raises:
            DeliveryFailed: no server is set, or it doesn't take the mail.
        """
        if not self._url:
            raise DeliveryFailed(NO_SERVER)
        try:
            server = Server.parse(self._url)
            sender = self._sender or f"dashapp@{server.host}"
            # A report of some megabytes takes a while to be written down.
            mail = await asyncio.to_thread(write, sender)
            Address(addr_spec=sender)
        except (ValueError, IndexError) as error:
            raise DeliveryFailed(f"the mail can't be written ({error}).") from None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS + 5):
                return await asyncio.to_thread(_deliver, server, sender, recipients, mail)
        except TimeoutError:
            raise DeliveryFailed(f"the mail server {server.host} doesn't answer.", maybe_sent=True) from None
        except smtplib.SMTPServerDisconnected as error:
            raise DeliveryFailed(f"the mail server {server.host} broke off ({error}).", maybe_sent=True) from None
        except smtplib.SMTPException as error:
            raise DeliveryFailed(f"the mail server {server.host} refuses ({_told(error)}).") from None
        except ssl.SSLError as error:
            raise DeliveryFailed(f"no TLS with the mail server {server.host} ({error.reason or error}).") from None
        except OSError as error:
            raise DeliveryFailed(f"the mail server {server.host} can't be reached ({error.strerror or error}).") from None


def _told(error: smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "no recipient is taken"
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)
        return f"{error.smtp_code} {text}"[:200]
    return str(error)[:200]


def _deliver(server: Server, sender: str, recipients: list[str], mail: EmailMessage) -> list[str]:
    context = ssl.create_default_context()
    if server.tls == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    with client:
        client.ehlo()
        secure = server.tls == "implicit"
        if server.tls == "always" or (server.tls == "auto" and client.has_extn("starttls")):
            client.starttls(context=context)
            client.ehlo()
            secure = True
        if server.user:
            if not secure and server.tls != "never":
                raise smtplib.SMTPException("it offers no TLS, and a password isn't sent in clear; tls=never would")
            client.login(server.user, server.password)
        return list(client.send_message(mail, sender, recipients))
