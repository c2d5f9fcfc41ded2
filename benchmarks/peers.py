"""The same page in Dash and in Streamlit: each a process of its own, on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Peer:
    """Where a page is, and what serves it."""

    url: str
    #: Something small of the same server, for a tab to stand at before.
    plain: str
    process: psutil.Process


@contextmanager
def dash() -> Iterator[Peer]:
    with _running(["-m", "benchmarks.dash_page"]) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the page in Dash did not start; install the extra `bench`")
        yield Peer(url, f"{url}_favicon.ico", psutil.Process(process.pid))


@contextmanager
def streamlit() -> Iterator[Peer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "server.address": "127.0.0.1", "server.port": port, "server.headless": "true", "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false", "theme.base": "dark",
    }  # fmt: skip
    script = str(Path(__file__).parent / "streamlit_page.py")
    with _running(["-m", "streamlit", "run", script, *(f"--{name}={value}" for name, value in options.items())]) as process:
        url = f"http://127.0.0.1:{port}/"
        health = f"{url}_stcore/health"
        _wait_for(health, process)
        yield Peer(url, health, psutil.Process(process.pid))


@contextmanager
def _running(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=_ROOT, env=os.environ | {"PYTHONPATH": str(_ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(address: str, process: subprocess.Popen[str], within_s: float = 30) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        # A server of somebody else's tells nobody that it is ready: it is asked, ten times a second, before anything is measured.
        time.sleep(0.1)
    raise RuntimeError(f"{address} does not answer; install the extra `bench`")
