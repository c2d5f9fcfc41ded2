"""The Prometheus of the tests: the system's own. ``python -m tests.prometheus`` installs it where it may."""

from __future__ import annotations

import os
import shutil
import sys

from tests.debian import provide

MISSING = "no Prometheus for the remote-write test; install it (Debian: apt-get install prometheus) or name it in PROMETHEUS"


def find() -> str | None:
    """The program's path, or None."""
    return os.environ.get("PROMETHEUS") or shutil.which("prometheus")


if __name__ == "__main__":
    sys.exit(provide(find, MISSING, "prometheus"))
