"""Addresses of servers, as people and the environment write them."""

from __future__ import annotations

from urllib.parse import urlsplit

from dashapp.errors import StartupError

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def server_url(text: str) -> str:
    """A server's URL without a slash at its end.

    Raises:
        StartupError: it can't be one.
    """
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise StartupError(f"{text!r} isn't the URL of a server; write it like http://127.0.0.1:5006.")
    return text.strip().rstrip("/")


def on_this_machine(url: str) -> bool:
    """Whether it names this machine by its loopback address, which no proxy for the outside can reach."""
    return urlsplit(url.strip()).hostname in _THIS_MACHINE
