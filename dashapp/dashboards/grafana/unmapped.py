"""What has no counterpart here."""

from __future__ import annotations


class NotMapped(Exception):
    """This has no counterpart; ``str(error)`` says why."""
