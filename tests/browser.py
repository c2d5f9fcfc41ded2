"""The browser of the tests: the system's Chromium, or Playwright's own. ``python -m tests.browser`` installs one where it may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def install() -> int:
    if find():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        print("installing Chromium for the browser tests …")  # noqa: T201
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium", "fonts-inter"],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                print(done.stderr[-2000:], file=sys.stderr)  # noqa: T201
                break
        if find():
            return 0
    print(MISSING, file=sys.stderr)  # noqa: T201
    # Elsewhere the other tests still run; on CI a run without a browser proves too little.
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(install())
