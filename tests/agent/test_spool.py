"""The queue on disk: order, bound, damage, and a simple model that it must agree with."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dashapp.agent import spool as spool_module
from dashapp.agent.spool import Spool
from dashapp.errors import StartupError


def points(*numbers: int) -> list[dict[str, object]]:
    return [{"name": "m", "value": float(number), "tags": {}, "timestamp": number} for number in numbers]


def numbers(spool: Spool, limit: int = 10_000) -> list[int]:
    return [json.loads(point)["timestamp"] for point in spool.read(limit).points]


def take(spool: Spool, limit: int) -> list[int]:
    batch = spool.read(limit)
    spool.acknowledge(batch)
    return [json.loads(point)["timestamp"] for point in batch.points]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def test_points_come_out_in_order_and_only_acknowledging_removes(spool: Spool) -> None:
    spool.append(points(1, 2))
    spool.append(points(3))
    assert numbers(spool, 2) == [1, 2] == numbers(spool, 2)
    assert take(spool, 2) == [1, 2]
    assert spool.waiting == 1
    assert take(spool, 2) == [3]
    assert not spool.read(2)
    assert (spool.waiting, spool.size, segments(spool.folder)) == (0, 0, [])


def test_a_new_agent_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    with Spool(tmp_path) as first:
        first.append(points(1, 2, 3))
        assert take(first, 1) == [1]
    with Spool(tmp_path) as second:
        second.append(points(4))
        assert second.waiting == 3
        assert numbers(second) == [2, 3, 4]


def test_the_oldest_go_when_it_is_full_and_are_counted(tmp_path: Path) -> None:
    with Spool(tmp_path, max_bytes=20_000) as spool:
        for start in range(0, 5_000, 50):
            spool.append(points(*range(start, start + 50)))
            assert sum(path.stat().st_size for path in segments(tmp_path)) <= 20_000
        kept = numbers(spool)
        assert kept == list(range(kept[0], 5_000))
        assert spool.take_dropped() == kept[0] > 0
        assert spool.take_dropped() == 0
        # A whole segment goes at a time, a sixteenth of the bound.
        assert spool.size > 17_000


def test_a_batch_whose_segment_was_dropped_meanwhile_can_still_be_acknowledged(tmp_path: Path) -> None:
    with Spool(tmp_path, max_bytes=2_000) as spool:
        spool.append(points(*range(20)))
        batch = spool.read(10)
        spool.append(points(*range(20, 60)))
        before = numbers(spool)
        assert before[0] > 10
        spool.acknowledge(batch)
        assert numbers(spool) == before


@pytest.mark.parametrize("tail", [b'{"name": "m", "val', b"\0" * 5000, b"\xff\xfe\n[1]\n7\n", b'{"name": "x"}'])
def test_torn_and_damaged_lines_are_skipped(tail: bytes, tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(points(1, 2))
    with segments(tmp_path)[0].open("ab") as file:
        file.write(tail)
    with Spool(tmp_path) as spool:
        spool.append(points(3))
        assert take(spool, 100) == [1, 2, 3]
        assert spool.waiting == 0
        assert not spool.read(100)


def test_a_damaged_middle_costs_only_itself(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(points(1, 2, 3))
    path = segments(tmp_path)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 700_000 + b"\n" + lines[2])
    with Spool(tmp_path) as spool:
        assert take(spool, 100) == [1, 3]
        assert spool.waiting == 0


@pytest.mark.parametrize("content", ["", "x", "1 2 3", "99999999999999 5 1", "1 2"])
def test_a_senseless_mark_only_repeats(content: str, tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(points(1, 2))
    (tmp_path / "acknowledged").write_text(content)
    with Spool(tmp_path) as spool:
        assert numbers(spool) == [1, 2]


def test_what_append_returned_for_survives_a_kill(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from dashapp.agent.spool import Spool
spool = Spool(Path(sys.argv[1]), max_bytes=64 * 2**20)
for number in range(10**9):
    spool.append([{"name": "m", "value": 0.0, "tags": {"pad": "x" * 200}, "timestamp": 3 * number + part} for part in range(3)])
    print(number, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    last = 0
    while last < 500:
        last = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    last = _last(child.stdout.read(), last)
    child.wait()
    with Spool(tmp_path) as spool:
        found = numbers(spool, 10**6)
        assert found[: 3 * (last + 1)] == list(range(3 * (last + 1)))
        assert found == list(range(len(found)))


def _last(output: bytes, before: int) -> int:
    """The last number that was printed whole."""
    whole = output[: output.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else before


def test_one_owner_at_a_time(spool: Spool) -> None:
    with pytest.raises(StartupError, match="another agent uses the buffer"):
        Spool(spool.folder)
    spool.append(points(1))
    spool.close()
    with Spool(spool.folder) as successor:
        spool.append(points(2))  # a late thread of the former owner
        assert numbers(successor) == [1]


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match=r"the agent's buffer .* can't be written \(.*\)\."):
        Spool(tmp_path / "file" / "spool")


def test_a_full_disk_holds_a_little_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Spool(tmp_path, max_in_memory=4) as spool:
        spool.append(points(1))
        real_write = os.write

        def half(descriptor: int, data: bytes) -> int:
            """As the kernel does when space runs out in the middle."""
            return real_write(descriptor, data[: len(data) // 2])

        def refuse(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        for write in (half, refuse):
            monkeypatch.setattr(spool_module.os, "write", write)
            spool.append(points(2, 3) if write is half else points(4, 5, 6))
        assert len(caplog.records) == 1
        assert "No space left" in caplog.text
        # Point 2 was one too many for the memory.
        assert spool.take_dropped() == 1
        assert take(spool, 3) == [1, 3, 4]
        monkeypatch.undo()
        spool.append(points(7))
        assert take(spool, 100) == [5, 6, 7]
        assert spool.waiting == 0


def test_it_syncs_only_while_something_waits(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(spool_module.os, "fsync", synced.append)
    monkeypatch.setattr(spool_module, "SYNC_EVERY_S", 0.0)
    for number in range(5):
        spool.append(points(number))
        take(spool, 10)
    assert synced == []
    spool.append(points(6))
    spool.append(points(7))
    assert len(synced) == 2  # the segment and the folder


class SpoolMachine(RuleBasedStateMachine):
    """Against a list: without a reached bound the spool is exactly a queue that survives being closed or killed."""

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.next = 0
        self.model: deque[int] = deque()
        self.spool = self._new()

    def _new(self) -> Spool:
        # Segments of 4 KiB, so that a few appends fill one.
        return Spool(Path(self.directory.name), max_bytes=16 * 4096)

    @rule(count=st.integers(0, 60))
    def append(self, count: int) -> None:
        count = min(count, 600 - len(self.model))
        fresh = range(self.next, self.next + count)
        self.next += count
        self.spool.append(points(*fresh))
        self.model.extend(fresh)

    @rule(limit=st.integers(1, 100), max_bytes=st.sampled_from([1, 300, 1 << 20]))
    def take(self, limit: int, max_bytes: int) -> None:
        batch = self.spool.read(limit, max_bytes=max_bytes)
        got = [json.loads(point)["timestamp"] for point in batch.points]
        assert got == list(self.model)[: len(got)]
        assert got or not self.model
        if max_bytes > 300:
            assert len(got) == min(limit, len(self.model))
        self.spool.acknowledge(batch)
        for _ in got:
            self.model.popleft()

    @rule(torn=st.sampled_from([b"", b'{"name":"m","va', b"\0\0\0"]))
    def restart(self, torn: bytes) -> None:
        self.spool.close()
        if torn and segments(Path(self.directory.name)):
            with segments(Path(self.directory.name))[-1].open("ab") as file:
                file.write(torn)
        self.spool = self._new()

    @invariant()
    def agrees(self) -> None:
        assert self.spool.waiting == len(self.model)
        assert numbers(self.spool) == list(self.model)
        assert self.spool.take_dropped() == 0

    def teardown(self) -> None:
        self.spool.close()
        self.directory.cleanup()


TestSpoolAgainstAModel = SpoolMachine.TestCase
TestSpoolAgainstAModel.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
