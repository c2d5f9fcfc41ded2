"""Points that wait to be sent: a bounded queue on disk.

The folder holds segments, numbered files of one JSON point a line that are only appended to, and ``acknowledged``:
how far the oldest segment is done with. Points that are done with are removed with their segment.

A kill, also in the middle of a write, loses nothing that `append` returned for and may repeat a little, which the
server's API makes harmless. A power loss costs what was appended since the last fsync: up to 5 seconds or the
latest two appends, whichever is longer. While the server takes everything at once nothing waits, so nothing is
synced. A torn or damaged line is skipped. Where the disk takes nothing (it is full), a little is held in memory, so
that just this can still be reported.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from dashapp.errors import StartupError

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
#: Points held in memory while the disk takes none.
MAX_IN_MEMORY = 5_000
SYNC_EVERY_S = 5.0
_SUFFIX = ".jsonl"
#: No point is longer; what is, is damage.
_LONGEST_LINE = 256 * 1024


@dataclass
class _Segment:
    number: int
    path: Path
    size: int = 0
    lines: int = 0
    #: How much of it is acknowledged.
    done_bytes: int = 0
    done_lines: int = 0

    @property
    def waiting(self) -> int:
        return self.lines - self.done_lines


@dataclass(frozen=True)
class Batch:
    """The oldest points that wait, as JSON, and how far they reach. True where there is something to acknowledge."""

    points: list[bytes] = field(default_factory=list)
    #: Segment number to (bytes, lines) that are done with when this batch is.
    through: dict[int, tuple[int, int]] = field(default_factory=dict)
    #: The same for points in memory, which are numbered from the start of this process.
    through_memory: int = 0

    def __bool__(self) -> bool:
        return bool(self.points or self.through)


class Spool:
    """A queue of points in `folder`, owned by one process at a time. Safe for several threads.

    Args:
        folder: made when missing.
        max_bytes: what the segments may take together; beyond it the oldest segment goes.
        max_in_memory: points to hold while the disk takes none.

    Raises:
        StartupError: the folder can't be used, or another agent uses it.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, max_in_memory: int = MAX_IN_MEMORY) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        # The oldest go by whole segments, so a segment is small beside the bound.
        self._segment_bytes = max(min(max_bytes // 16, 1024 * 1024), 1)
        self._max_in_memory = max_in_memory
        self._guard = threading.RLock()
        self._segments: deque[_Segment] = deque()
        self._active: _Segment | None = None
        self._memory: deque[bytes] = deque()
        self._memory_taken = 0
        self._unsynced: dict[int, Path] = {}
        self._synced_at = time.monotonic()
        self._dropped = 0
        self._refusing = False
        self._last_number = 0
        self._lock: int | None = self._take_lock()
        try:
            self._open()
        except OSError as error:
            self.close()
            raise StartupError(f"the agent's buffer {folder} can't be read ({error.strerror}).") from None

    @property
    def waiting(self) -> int:
        """Points not acknowledged yet."""
        with self._guard:
            return sum(segment.waiting for segment in self._segments) + len(self._memory)

    @property
    def size(self) -> int:
        """Bytes that the segments take on disk."""
        with self._guard:
            return sum(segment.size for segment in self._segments)

    def take_dropped(self) -> int:
        """Points lost to the bound since the last call. One that was on its way when it was dropped counts, too."""
        with self._guard:
            dropped, self._dropped = self._dropped, 0
            return dropped

    # Writing ---------------------------------------------------------------------------------------------------

    def append(self, points: Iterable[Mapping[str, Any]]) -> None:
        """Queue points. What neither disk nor memory can hold makes room by dropping the oldest."""
        lines = [orjson.dumps(point) + b"\n" for point in points]
        with self._guard:
            if self._lock is None:
                return  # closed: a sampling thread that was late; the folder may be another agent's by now
            behind = self.waiting > 0
            self._memory.extend(lines)
            try:
                self._spill()
                if behind and time.monotonic() - self._synced_at >= SYNC_EVERY_S:
                    self.sync()
                self._refusing = False
            except OSError as error:
                if not self._refusing:
                    log.warning("The agent's buffer in %s can't be written (%s); a little is held in memory.", self.folder, error)
                self._refusing = True
            self._dropped += self._forget_memory(len(self._memory) - self._max_in_memory)

    def sync(self) -> None:
        """Make what was appended survive a power loss.

        Raises:
            OSError: the disk refuses.
        """
        with self._guard:
            for path in [*self._unsynced.values(), *([self.folder] if self._unsynced else [])]:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            self._unsynced.clear()
            self._synced_at = time.monotonic()

    def _spill(self) -> None:
        """Move what is in memory to disk, with one write for each segment that it reaches.

        Raises:
            OSError: the disk refuses; what it didn't take is in memory still.
        """
        while self._memory:
            if self._active is not None and self._active.size >= self._segment_bytes:
                self._active = None
                self.sync()
            room = self._segment_bytes - (self._active.size if self._active else 0)
            chunk: list[bytes] = []
            for line in self._memory:
                if chunk and len(line) > room:
                    break
                chunk.append(line)
                room -= len(line)
            data = b"".join(chunk)
            while self._segments and self.size + len(data) > self._max_bytes:
                self._drop_oldest()
            self._write(data, len(chunk))
            self._forget_memory(len(chunk))

    def _write(self, data: bytes, lines: int) -> None:
        segment = self._active
        if segment is None:
            number = max(time.time_ns() // 1_000_000, self._last_number + 1)
            segment = _Segment(number, self.folder / f"{number:015d}{_SUFFIX}")
        descriptor = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if self._active is None:
                self._active = segment
                self._last_number = segment.number
                self._segments.append(segment)
            self._unsynced[segment.number] = segment.path
            try:
                if os.write(descriptor, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                # Nothing may follow a torn line. Where it can't be cut off, the segment ends with it.
                try:
                    os.ftruncate(descriptor, segment.size)
                except OSError:
                    self._active = None
                    segment.size = os.fstat(descriptor).st_size
                raise
        finally:
            os.close(descriptor)
        segment.size += len(data)
        segment.lines += lines

    def _forget_memory(self, count: int) -> int:
        count = max(count, 0)
        for _ in range(count):
            self._memory.popleft()
        self._memory_taken += count
        return count

    def _drop_oldest(self) -> None:
        self._dropped += self._segments[0].waiting
        self._remove(self._segments[0])

    # Reading ---------------------------------------------------------------------------------------------------

    def read(self, limit: int, *, max_bytes: int = 2 * 1024 * 1024) -> Batch:
        """Up to `limit` of the oldest points, or as many as fit in `max_bytes`. They stay until `acknowledge`."""
        points: list[bytes] = []
        through: dict[int, tuple[int, int]] = {}
        with self._guard:
            for segment in self._segments:
                if len(points) >= limit or max_bytes <= 0:
                    break
                found, done_bytes, done_lines = _read_segment(segment, limit - len(points), max_bytes)
                points += found
                max_bytes -= done_bytes - segment.done_bytes
                through[segment.number] = done_bytes, done_lines
                if done_bytes < segment.size:
                    break
            else:
                held = [line.rstrip() for line, _ in zip(self._memory, range(limit - len(points)), strict=False)]
                return Batch(points + held, through, self._memory_taken + len(held))
        return Batch(points, through)

    def acknowledge(self, batch: Batch) -> None:
        """`batch` is done with: remove it."""
        with self._guard:
            if self._lock is None:
                return
            for segment in list(self._segments):
                if segment.number in batch.through:
                    # A batch that was given up on may be acknowledged after a later one.
                    done = max(batch.through[segment.number], (segment.done_bytes, segment.done_lines))
                    segment.done_bytes, segment.done_lines = done
                    if segment.done_bytes >= segment.size:
                        self._remove(segment)
            self._forget_memory(min(batch.through_memory - self._memory_taken, len(self._memory)))
            self._write_acknowledged()

    def _remove(self, segment: _Segment) -> None:
        self._segments.remove(segment)
        self._unsynced.pop(segment.number, None)
        if segment is self._active:
            self._active = None
        # If this fails, the next agent sends the segment again, which changes nothing.
        with contextlib.suppress(OSError):
            segment.path.unlink()

    @property
    def _acknowledged(self) -> Path:
        return self.folder / "acknowledged"

    def _write_acknowledged(self) -> None:
        oldest = self._segments[0] if self._segments else None
        with contextlib.suppress(OSError):
            if oldest is None or oldest.done_bytes == 0:
                self._acknowledged.unlink(missing_ok=True)
                return
            fresh = self._acknowledged.with_suffix(".new")
            fresh.write_text(f"{oldest.number} {oldest.done_bytes} {oldest.done_lines}\n")
            fresh.rename(self._acknowledged)

    # Opening ---------------------------------------------------------------------------------------------------

    def _take_lock(self) -> int:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartupError(f"the agent's buffer {self.folder} can't be written ({error.strerror}).") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StartupError(
                f"another agent uses the buffer {self.folder}; stop it, or give this one a folder of its own."
            ) from None
        return descriptor

    def _open(self) -> None:
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            if not path.stem.isdigit():
                continue
            size, lines, whole = _measure(path)
            if size == 0:
                path.unlink()
                continue
            segment = _Segment(int(path.stem), path, size, lines)
            self._segments.append(segment)
            self._active = segment if whole and size < self._segment_bytes else None
        self._last_number = max((segment.number for segment in self._segments), default=0)
        done = self._read_acknowledged()
        for segment in self._segments:
            if done and segment.number == done[0] and done[1] <= segment.size:
                segment.done_bytes, segment.done_lines = done[1:]
        if done and done[0] not in {segment.number for segment in self._segments}:
            self._acknowledged.unlink(missing_ok=True)

    def _read_acknowledged(self) -> tuple[int, int, int] | None:
        try:
            number, size, lines = (int(word) for word in self._acknowledged.read_text().split())
        except (OSError, ValueError):
            return None  # at worst, something is sent again
        return number, size, lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Sync and let another process own the folder. Closing twice is fine."""
        with self._guard:
            if self._lock is not None:
                with contextlib.suppress(OSError):
                    self.sync()
                os.close(self._lock)
                self._lock = None


def _measure(path: Path) -> tuple[int, int, bool]:
    """Bytes and lines of a segment, and whether its last line is whole."""
    size = lines = 0
    last = b""
    with path.open("rb") as file:
        while data := file.read(256 * 1024):
            size += len(data)
            lines += data.count(b"\n")
            last = data
    return size, lines, last.endswith(b"\n")


def _read_segment(segment: _Segment, limit: int, max_bytes: int) -> tuple[list[bytes], int, int]:
    """Points of a segment after what is acknowledged, and the bytes and lines that are done with after them."""
    points: list[bytes] = []
    done_bytes, done_lines = segment.done_bytes, segment.done_lines
    damaged = 0
    try:
        with segment.path.open("rb") as file:
            file.seek(done_bytes)
            while len(points) < limit and done_bytes < segment.size and max_bytes > 0:
                line = file.readline(min(_LONGEST_LINE, segment.size - done_bytes))
                if not line:  # shorter than it was: nothing more will come of it
                    done_bytes, done_lines = segment.size, segment.lines
                    break
                done_bytes += len(line)
                done_lines += line.endswith(b"\n")
                max_bytes -= len(line)
                if _is_point(line):
                    points.append(line.rstrip())
                else:
                    damaged += 1
    except OSError as error:
        log.warning("A part of the agent's buffer, %s, can't be read (%s); it is left out.", segment.path.name, error.strerror)
        return points, segment.size, segment.lines
    if damaged:
        log.warning("Skipped %d damaged lines in the agent's buffer, %s.", damaged, segment.path.name)
    return points, done_bytes, done_lines


def _is_point(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
