"""Targets without their secrets: webhooks carry them in the path, Apprise URLs anywhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from dashapp.contract.alerts import ChannelType


def masked(kind: ChannelType, target: str) -> str:
    """The target as anyone may see it."""
    if kind == "email":
        return target
    scheme, _, _ = target.partition("://")
    if kind == "apprise":
        return f"{scheme}://…"
    host = urlsplit(target).hostname or ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}/…"
