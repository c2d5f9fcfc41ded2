"""The Prometheus of the tests: the system's own. ``python -m tests.prometheus`` installs it where it may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

MISSING = "no Prometheus for the remote-write test; install it (Debian: apt-get install prometheus) or name it in PROMETHEUS"


def find() -> str | None:
    """The program's path, or None."""
    return os.environ.get("PROMETHEUS") or shutil.which("prometheus")


def install() -> int:
    if find():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        print("installing Prometheus for the remote-write test …")  # noqa: T201
        # Not its service: the test runs the program itself, and port 9090 may be somebody else's.
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "-q", "--no-install-recommends", "prometheus"],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                print(done.stderr[-2000:], file=sys.stderr)  # noqa: T201
                break
        if find():
            return 0
    print(MISSING, file=sys.stderr)  # noqa: T201
    # Elsewhere the other tests still run; on CI a run without it proves too little.
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(install())
