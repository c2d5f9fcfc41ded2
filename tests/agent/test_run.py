"""The whole agent as a process of its own, against a real HTTP server."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashapp.agent.run import run
from dashapp.agent.spool import Spool
from dashapp.contract.metrics import point_batch
from dashapp.errors import StartupError
from tests.agent.receiver import TOKEN, Receiver, failure, key
from tests.running import until

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from dashapp.agent.run import run
url, spool, parent = sys.argv[1:]
asyncio.run(run(url, "secret-token", 1, Path(spool), host_name="h", parent_pid=int(parent) or None))
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(receiver: Receiver, tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def start(parent_pid: int = 0) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _PROGRAM, receiver.url, str(tmp_path / "spool"), str(parent_pid)]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ticks_of(receiver: Receiver, name: str = "memory.total") -> list[int]:
    return sorted(timestamp for metric, _, timestamp in receiver.stored if metric == name)


def test_samples_arrive_valid_and_on_the_second(receiver: Receiver, start: Start) -> None:
    process = start()
    receiver.wait(lambda: len(ticks_of(receiver)) >= 2)
    process.terminate()
    assert process.wait(5) == 0
    assert receiver.tokens == {f"Bearer {TOKEN}"}
    by_tick: dict[int, set[str]] = defaultdict(set)
    for name, _, timestamp in receiver.stored:
        by_tick[timestamp].add(name)
    assert all(timestamp % 1000 == 0 for timestamp in by_tick)
    # The very first sample has rates already.
    assert "cpu.usage" in by_tick[min(by_tick)]
    for batch in receiver.batches:
        point_batch.validate_python(batch)


def test_nothing_is_lost_across_outages_and_kills(receiver: Receiver, start: Start, tmp_path: Path) -> None:
    process = start()
    receiver.wait(lambda: len(receiver.stored) > 0)
    receiver.stop()
    # During the outage one agent is killed with what it gathered, and the next gathers more.
    spooled = tmp_path / "spool"
    until(lambda: any(path.stat().st_size for path in spooled.glob("*.jsonl")), "a spooled point")
    process.kill()
    process.wait()
    gathered = [line for path in sorted(spooled.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    assert gathered
    with next(iter(sorted(spooled.glob("*.jsonl")))).open("ab") as file:
        file.write(b'{"name": "torn')

    receiver.behave = lambda points: failure(500, "INTERNAL_ERROR") if len(receiver.batches) % 2 else True
    second = start()
    receiver.start()
    newest = max(ticks_of(receiver))
    receiver.wait(lambda: len(ticks_of(receiver)) >= 2 and max(ticks_of(receiver)) > newest + 2000)
    second.send_signal(signal.SIGINT)
    assert second.wait(5) == 0
    assert {key(json.loads(line)) for line in gathered} <= receiver.stored.keys()
    assert receiver.contradictions == []


def test_a_stop_sends_what_waits(receiver: Receiver, start: Start, tmp_path: Path) -> None:
    receiver.behave = lambda points: failure(503, "UNAVAILABLE", Retry_After="120")
    process = start()
    receiver.wait(lambda: len(receiver.batches) > 0)
    receiver.behave = lambda points: True
    process.terminate()
    assert process.wait(5) == 0
    assert ticks_of(receiver)
    with Spool(tmp_path / "spool") as spool:
        assert spool.waiting == 0


def test_a_stop_does_not_wait_for_a_server_that_hangs(receiver: Receiver, start: Start, tmp_path: Path) -> None:
    receiver.behave = lambda points: None
    process = start()
    receiver.wait(lambda: len(receiver.batches) > 0)
    stopped = time.monotonic()
    process.terminate()
    assert process.wait(5) == 0
    assert time.monotonic() - stopped < 4
    with Spool(tmp_path / "spool") as spool:
        assert spool.waiting > 0


def test_it_ends_with_its_parent(receiver: Receiver, start: Start) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start(parent.pid)
    receiver.wait(lambda: len(receiver.stored) > 0)
    assert process.poll() is None
    parent.kill()
    # A zombie counts as ended, before anybody has waited for it.
    assert process.wait(10) == 0
    parent.communicate()


async def test_a_parent_that_is_gone_already_ends_it_at_once(receiver: Receiver, tmp_path: Path) -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    async with asyncio.timeout(5):
        await run(receiver.url, TOKEN, 1, tmp_path, parent_pid=gone.pid)


async def test_one_agent_owns_a_spool(receiver: Receiver, spool: Spool) -> None:
    with pytest.raises(StartupError, match=r"another agent uses the buffer .*folder of its own\."):
        await run(receiver.url, TOKEN, 1, spool.folder)


@pytest.mark.parametrize(
    ("url", "token", "interval", "sentence"),
    [
        ("localhost:5006", TOKEN, 10, "isn't the URL of a server"),
        ("ftp://x", TOKEN, 10, "isn't the URL of a server"),
        ("http://h:99999", TOKEN, 10, "isn't the URL of a server"),
        ("http://h", " ", 10, "the token is empty"),
        ("http://h", "tök", 10, "the token is empty or holds characters"),
        ("http://h", TOKEN, 0.1, "must lie between 1s and 1h"),
        ("http://h", TOKEN, float("nan"), "must lie between 1s and 1h"),
    ],
)
async def test_what_cannot_work_is_said_at_the_start(url: str, token: str, interval: float, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=sentence):
        await run(url, token, interval, tmp_path)
    Spool(tmp_path).close()  # nothing is left locked


async def test_warm_up_samples_every_second(receiver: Receiver, tmp_path: Path) -> None:
    task = asyncio.create_task(run(receiver.url, TOKEN, 3600, tmp_path, host_name="h", warm_up_s=30))
    await asyncio.to_thread(receiver.wait, lambda: len(ticks_of(receiver)) >= 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    first, second = ticks_of(receiver)[:2]
    assert second - first == 1000
