"""The browser of the tests: the system's Chromium, or Playwright's own. ``python -m tests.browser`` installs one where it may."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.debian import provide

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium for the browser tests; install one (Debian: apt-get install chromium) or name it in CHROMIUM"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


def find() -> str | None:
    """The browser's path, or None."""
    if named := os.environ.get("CHROMIUM"):
        return named
    if system := next((path for name in _NAMES if (path := shutil.which(name))), None):
        return system
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            own = playwright.chromium.executable_path
        return own if Path(own).exists() else None
    except Exception:
        return None


if __name__ == "__main__":
    sys.exit(provide(find, MISSING, "chromium", "fonts-inter"))
