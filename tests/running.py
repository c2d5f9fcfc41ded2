"""A dashapp as users run it: a process of its own, spoken to over HTTP and signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx


def until(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        threading.Event().wait(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


class Running:
    """A running ``dashapp`` command."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, **options: Any) -> None:
        self.lines: list[str] = []
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DASHAPP_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dashapp", *arguments],
            env=clean | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def said(self, pattern: str, seconds: float = 60.0) -> str:
        """The first group of `pattern` in what the process prints."""

        def find() -> str | None:
            match = re.search(pattern, self.output)
            if match is None and self.process.poll() is not None:
                self._reader.join(5)
                match = re.search(pattern, self.output)
                assert match, f"ended with {self.process.returncode}: {self.output}"
            return match[1] if match else None

        return str(until(find, f"{pattern!r} in {self.output!r}", seconds))

    def ended(self, seconds: float = 60.0) -> tuple[int, str]:
        """Its exit code and all that it printed, once it ends by itself."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code, self.output

    def stop(self, number: int = signal.SIGINT, seconds: float = 30.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self._reader.join(5)
        return code


class Dashapp(Running):
    """A running server."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.url = ""

    def ready(self) -> Dashapp:
        self.url = self.said(r"(http://127\.0\.0\.1:\d+)")
        until(lambda: _answers(f"{self.url}/readyz"), "the server to be ready")
        return self

    @property
    def link(self) -> str:
        return self.said(r"(http://\S+/signin\?\S+)")

    def client(self) -> httpx.Client:
        """Signed in through a fresh cookie of the sign-in link."""
        client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, follow_redirects=True, timeout=30)
        client.get(self.link)
        return client


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def up(data_dir: Path, *arguments: str, **options: Any) -> Iterator[Dashapp]:
    """``dashapp up`` in `data_dir` on a free port, stopped at the end."""
    server = Dashapp("up", "--data-dir", str(data_dir), "--port", "0", *arguments, **options)
    try:
        yield server.ready()
    finally:
        if server.process.poll() is None:
            server.stop()


@contextmanager
def up_anywhere(*arguments: str, **options: Any) -> Iterator[tuple[Dashapp, Path]]:
    """The same in a fresh directory that root's database user can enter, and that directory; for tools that find it there."""
    with tempfile.TemporaryDirectory(prefix="dashapp-up-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o755)
        with up(directory, *arguments, **options) as server:
            until((directory / "local.json").exists, "the word that dashapp leaves for this machine's tools")
            yield server, directory
