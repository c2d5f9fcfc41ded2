"""Slack, Teams, PagerDuty, Telegram and a hundred more: URLs of the library Apprise.

Services that anybody runs themselves (``json://``, ``gotify://`` …) are connected to at public addresses only, as webhooks are;
those that act on this machine are refused.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from dashapp.alerts.channels import DeliveryFailed
from dashapp.alerts.channels.addresses import resolve
from dashapp.alerts.message import Message

TIMEOUT_SECONDS = 20.0
#: They don't leave the machine, or go where only e-mail's own settings should.
_REFUSED = frozenset(
    ("dbus", "glib", "gio", "gnome", "kde", "qt", "macosx", "windows", "syslog", "rsyslog", "rfc5424", "sendmail", "file", "exec",
     "cli", "ssh", "mqtt", "mqtts", "mailto", "mailtos")
)  # fmt: skip


class Services:
    """Sends to Apprise URLs."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def send(self, target: str, message: Message) -> None:
        """
        Raises:
            DeliveryFailed: the URL can't be used, or the service doesn't take it.
        """
        scheme = target.partition("://")[0].lower()
        if scheme in _REFUSED:
            raise DeliveryFailed(f"{scheme}:// isn't sent to; use a service of its own, type email or a webhook.")
        plugin = await asyncio.to_thread(_plugin, target)
        if plugin is None:
            raise DeliveryFailed(f"the {scheme}:// URL can't be read; see Apprise's documentation of that service.")
        if _own_host(plugin):
            host = getattr(plugin, "host", None) or urlsplit(target).hostname
            if not host:
                raise DeliveryFailed(f"the {scheme}:// URL has no host.")
            await resolve(str(host), int(getattr(plugin, "port", None) or 443), allow_private=self._allow_private)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                taken, why = await asyncio.to_thread(_notify, plugin, message)
        except TimeoutError:
            raise DeliveryFailed(f"the service behind {scheme}:// doesn't answer.", maybe_sent=True) from None
        if not taken:
            raise DeliveryFailed(f"the service behind {scheme}:// didn't take it{f' ({why})' if why else ''}.")


def _plugin(target: str) -> Any:
    import apprise  # takes a moment, and most never need it

    plugin = apprise.Apprise.instantiate(target, suppress_exceptions=True)
    if plugin is not None:
        plugin.redirects = False  # whatever the URL says: they could lead to an address that nobody has checked
    return plugin


def _own_host(plugin: Any) -> bool:
    """Whether the URL names the host to connect to."""
    return any("{host}" in template for template in getattr(plugin, "templates", ()))


def _notify(plugin: Any, message: Message) -> tuple[bool, str]:
    import apprise

    kind = apprise.NotifyType.SUCCESS if message.status == "resolved" else {
        "critical": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING, "info": apprise.NotifyType.INFO,
    }[message.severity]  # fmt: skip
    with apprise.LogCapture(level=apprise.logging.WARNING) as log:
        taken = bool(plugin.notify(title=message.title, body=f"{message.text}\n{message.link}", notify_type=kind))
        lines = log.getvalue().strip().splitlines()
    # The library's lines may repeat the URL; only what follows the service's own words is told.
    why = lines[-1].rpartition("WARNING - ")[2][:200] if lines else ""
    return taken, "" if "://" in why else why
