"""The processes that use most, aggregated by name.

On Linux one small file a process is read directly, which costs a sixth of asking through psutil and needs no
permission beyond an ordinary user's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import psutil

#: So many processes by each measure.
TOP = 8
#: A name stays in the picture so many seconds after it last was among the top, so that lines don't flicker.
_LINGER_S = 60.0
_MOST_NAMES = 3 * TOP
#: Grain of the kernel's start times.
_GRAIN_S = 0.02
_KTHREADD = 2


class Reading(NamedTuple):
    """One process. `started` tells it from a later one with the same pid, `age` and `cpu` are seconds, `memory` bytes."""

    pid: int
    started: float
    age: float
    name: str
    cpu: float
    memory: int


class Usage(NamedTuple):
    """All processes of one name: `cpu` in percent of one core (None until known), `memory` in bytes."""

    name: str
    cpu: float | None
    memory: float


class Processes:
    """Follows the host's processes from reading to reading."""

    def __init__(self) -> None:
        self._now: float | None = None
        self._cpu: dict[tuple[int, float], float] = {}
        self._names: dict[tuple[int, float], str] = {}
        self._seen: dict[str, float] = {}
        #: Processes at the latest reading.
        self.count = 0

    def top(self) -> list[Usage]:
        """The names that use most CPU or memory, now or within the last minute."""
        now = time.monotonic()
        elapsed = None if self._now is None else now - self._now
        read = list(self._read())
        self.count = len(read)
        cpu: dict[str, float] = defaultdict(float)
        resident: dict[str, float] = defaultdict(float)
        pids: dict[str, list[int]] = defaultdict(list)
        for process in read:
            resident[process.name] += process.memory
            pids[process.name].append(process.pid)
            if elapsed:
                # A young process has used all of its time since the last reading; an old one only came into view.
                unseen = 0.0 if process.age <= elapsed + _GRAIN_S else process.cpu
                used = process.cpu - self._cpu.get((process.pid, process.started), unseen)
                cpu[process.name] += 100 * max(used, 0.0) / elapsed
        self._now = now
        self._cpu = {(process.pid, process.started): process.cpu for process in read}

        largest = sorted(resident, key=resident.__getitem__, reverse=True)[: 2 * TOP]
        memory = {name: _memory(pids[name], resident[name]) for name in {*largest, *self._seen} if name in resident}
        for name in [*_most(memory), *_most(cpu)]:
            self._seen[name] = now
        recent = sorted(self._seen, key=self._seen.__getitem__, reverse=True)[:_MOST_NAMES]
        self._seen = {name: self._seen[name] for name in recent if self._seen[name] > now - _LINGER_S}
        return [
            Usage(name, cpu[name] if elapsed else None, memory[name] if name in memory else _memory(pids[name], resident[name]))
            for name in self._seen
            if name in resident
        ]

    def _read(self) -> Iterator[Reading]:
        return self._read_proc() if sys.platform == "linux" else _read_psutil()

    def _read_proc(self) -> Iterator[Reading]:
        ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        names: dict[tuple[int, float], str] = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            stat = _contents(f"/proc/{entry}/stat")
            # The command is in parentheses and may hold spaces and parentheses itself.
            command, _, rest = stat.partition(b"(")[2].rpartition(b")")
            fields = rest.split(maxsplit=22)
            if len(fields) < 22:
                continue  # ended while we looked
            pid, started = int(entry), int(fields[19]) / ticks
            name = self._names.get((pid, started)) or _full_name(pid, command, kernel=int(fields[1]) == _KTHREADD)
            names[pid, started] = name
            yield Reading(pid, started, uptime - started, name, (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * page)
        self._names = names


def _most(usage: dict[str, float]) -> list[str]:
    return sorted((name for name in usage if usage[name] > 0), key=usage.__getitem__, reverse=True)[:TOP]


def _read_psutil() -> Iterator[Reading]:
    for process in psutil.process_iter(["name", "create_time", "cpu_times", "memory_info"]):
        info = process.info
        times, memory = info["cpu_times"], info["memory_info"]
        yield Reading(
            process.pid,
            info["create_time"] or 0.0,
            time.time() - (info["create_time"] or 0.0),
            info["name"] or "?",
            times.user + times.system if times else 0.0,
            memory.rss if memory else 0,
        )


def _full_name(pid: int, command: bytes, *, kernel: bool) -> str:
    """A process's name; the kernel cuts it to 15 bytes, the command line often has the rest.

    Kernel threads go by their kind: ``kworker/0:1-events`` is ``kworker``, else each would be a series.
    """
    if kernel:
        command = command.split(b"/", 1)[0]
    elif len(command) == 15:
        program = _contents(f"/proc/{pid}/cmdline").split(b"\0", 1)[0].rsplit(b"/", 1)[-1]
        command = program if program.startswith(command) else command
    return command.decode(errors="replace") or "?"


def _memory(pids: list[int], resident: float) -> float:
    """Bytes that processes of one name hold together.

    Pages that they share (a database's buffers, a library) count once: the private parts, and the largest shared one.
    """
    if len(pids) == 1 or sys.platform != "linux":
        return resident
    private = shared = 0
    for pid in pids:
        fields = _contents(f"/proc/{pid}/statm").split()
        if len(fields) >= 3:
            private += max(int(fields[1]) - int(fields[2]), 0)
            shared = max(shared, int(fields[2]))
    return float((private + shared) * os.sysconf("SC_PAGE_SIZE"))


def _contents(path: str) -> bytes:
    """A small file of /proc; empty where its process has ended or is another user's secret."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    return b""
