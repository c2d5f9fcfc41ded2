"""Programs of Debian that tests and benchmarks run beside dashapp, installed where that may be done."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import until


def install(*packages: str) -> None:
    """Have apt-get install packages where that may be done; what keeps it from it goes to standard error."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return
    print(f"installing {' and '.join(packages)} …")  # noqa: T201
    # No service is started: tests run the programs themselves.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    options = ["-o", "DPkg::Lock::Timeout=120", "-y", "-q", "--no-install-recommends"]
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", *options, *packages]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)  # noqa: T201
            return


def provide(find: Callable[[], str | None], missing: str, *packages: str) -> int:
    """Have there be a program before the tests begin; the exit code of who asks for it.

    Args:
        find: answers its path, or None.
        missing: what to say where there is none.
    """
    if find():
        return 0
    install(*packages)
    if find():
        return 0
    print(missing, file=sys.stderr)  # noqa: T201
    # Elsewhere the other tests still run; on CI a run without it proves too little.
    return 1 if os.environ.get("CI") else 0


def program(name: str, package: str) -> str:
    """The program's path; the test is skipped where there is none, and fails on CI."""

    def find() -> str | None:
        return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")

    path = find()
    if path is None:
        install(package)
        path = find()
    if path is None:
        reason = f"no {name}; on Debian: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(command: list[str], ready: Callable[[], object], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the block ends; `ready` says when it can be used."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        until(ready, f"{Path(command[0]).name} to be ready")
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """Whether something listens on the port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
