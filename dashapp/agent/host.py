"""What this host does right now, as points."""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from dashapp.agent import devices
from dashapp.agent.processes import Processes
from dashapp.agent.rates import Rates

log = logging.getLogger(__name__)

#: Metric, value, tags (the host's own is added to all).
Reading = tuple[str, float, dict[str, str]]
Source = Callable[[], Iterator[Reading]]

_CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_IDLE_MODES = ("idle", "iowait")
_PRESSURE = Path("/proc/pressure")
_PRESSURE_TOTAL = re.compile(r"^(some|full) .*total=(\d+)", re.MULTILINE)
#: Some chips answer nonsense for a sensor that isn't wired.
_PLAUSIBLE_CELSIUS = (-100.0, 250.0)


class Host:
    """Samples this machine. Rates need two samples, so the first has none.

    Not for several threads at once: `sample` compares with the sample before.
    """

    def __init__(self, name: str | None = None) -> None:
        #: Value of the tag ``host``.
        self.name = _tag_value(name or socket.gethostname() or "localhost")
        self._cpu, self._disks, self._network, self._pressure = Rates(), Rates(), Rates(), Rates()
        self._processes = Processes()
        self._failed: set[str] = set()
        self._sources: dict[str, Source] = {
            "cpu": self._read_cpu,
            "load": _read_load,
            "memory": _read_memory,
            "swap": _read_swap,
            "disk space": self._read_space,
            "disk activity": self._read_disks,
            "network": self._read_network,
            "pressure": self._read_pressure,
            "processes": self._read_processes,
            "uptime": _read_uptime,
            "temperatures": _read_temperatures,
            "connections": _read_connections,
        }

    def sample(self, timestamp: int | None = None) -> list[dict[str, Any]]:
        """Points in the API's wire form, all with one timestamp (Unix ms; now when missing).

        A source that can't be read leaves out its points and says so in the log once; it never fails the sample.
        """
        timestamp = time.time_ns() // 1_000_000 if timestamp is None else timestamp
        points: list[dict[str, Any]] = []
        for source, read in self._sources.items():
            try:
                for name, value, tags in read():
                    if math.isfinite(value):
                        points.append(self.point(name, value, tags, timestamp))
            except Exception as error:  # whatever a strange kernel makes psutil raise: the other sources go on
                self._note(source, error)
        return points

    def point(self, name: str, value: float, tags: Mapping[str, str], timestamp: int) -> dict[str, Any]:
        """A point of this host in the API's wire form."""
        cleaned = {key: _tag_value(tag) for key, tag in tags.items()}
        return {"name": name, "value": float(value), "tags": {"host": self.name, **cleaned}, "timestamp": timestamp}

    def _note(self, source: str, error: Exception) -> None:
        if source not in self._failed:
            self._failed.add(source)
            log.warning("This host's %s can't be read: %s (%s). The rest is sent.", source, error, type(error).__name__)

    # Sources ---------------------------------------------------------------------------------------------------

    def _read_cpu(self) -> Iterator[Reading]:
        together, cores = psutil.cpu_times(), psutil.cpu_times(percpu=True)
        self._cpu.step(time.monotonic())
        shares = self._cpu_shares("all", together)
        if shares:
            yield "cpu.usage", _busy(shares), {}
            for mode, share in shares.items():
                if mode != "idle":
                    yield "cpu.mode", share, {"mode": mode}
        for number, times in enumerate(cores):
            if shares := self._cpu_shares(number, times):
                yield "cpu.core", _busy(shares), {"core": str(number)}

    def _cpu_shares(self, core: str | int, times: Any) -> dict[str, float]:
        """Percent of the time since the last sample in each mode; empty while unknown.

        Guests' time is left out: the kernel counts it in ``user`` already. A mode whose count fell (the kernel's
        iowait does, now and then) counts as zero.
        """
        rates = {mode: self._cpu.rate((core, mode), getattr(times, mode)) for mode in _CPU_MODES if hasattr(times, mode)}
        total = sum(rate or 0.0 for rate in rates.values())
        return {mode: 100 * (rate or 0.0) / total for mode, rate in rates.items()} if total > 0 else {}

    def _read_space(self) -> Iterator[Reading]:
        for mount in devices.mounts():
            tags = {"mount": mount.path}
            try:
                room = devices.space(mount.path)
            except OSError as error:
                self._note(f"mount {mount.path}", error)
                continue
            if room is None:
                continue
            yield "disk.usage", room.usage, tags
            for kind, size in (("used", room.used), ("free", room.free), ("total", room.total)):
                yield "disk.bytes", size, {**tags, "kind": kind}
            if room.inodes is not None:
                yield "disk.inodes", room.inodes, tags

    def _read_disks(self) -> Iterator[Reading]:
        # nowrap=False: psutil's own guard against falling counters keeps state that Rates makes needless.
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        self._disks.step(time.monotonic())
        for name in devices.disks(counters):
            counts = counters[name]
            rates: list[tuple[str, str, float]] = [
                ("disk.io", "read", counts.read_bytes), ("disk.io", "write", counts.write_bytes),
                ("disk.ops", "read", counts.read_count), ("disk.ops", "write", counts.write_count),
            ]  # fmt: skip
            for metric, direction, count in rates:
                if (rate := self._disks.rate((name, metric, direction), count)) is not None:
                    yield metric, rate, {"device": name, "direction": direction}
            busy = self._disks.rate((name, "busy"), getattr(counts, "busy_time", 0))
            if busy is not None and hasattr(counts, "busy_time"):
                yield "disk.busy", min(busy / 10, 100.0), {"device": name}  # ms a second to percent

    def _read_network(self) -> Iterator[Reading]:
        counters = psutil.net_io_counters(pernic=True, nowrap=False)
        self._network.step(time.monotonic())
        for name in devices.interfaces(counters):
            counts = counters[name]
            idle = not any(counts)  # never carried anything: a socket without a cable is no series
            for metric, direction, count in (
                ("network.io", "in", counts.bytes_recv), ("network.io", "out", counts.bytes_sent),
                ("network.packets", "in", counts.packets_recv), ("network.packets", "out", counts.packets_sent),
                ("network.errors", "in", counts.errin), ("network.errors", "out", counts.errout),
                ("network.drops", "in", counts.dropin), ("network.drops", "out", counts.dropout),
            ):  # fmt: skip
                rate = self._network.rate((name, metric, direction), count)
                if rate is not None and not idle:
                    yield metric, rate, {"interface": name, "direction": direction}

    def _read_pressure(self) -> Iterator[Reading]:
        if not _PRESSURE.is_dir():
            return
        texts = {resource: (_PRESSURE / resource).read_text() for resource in ("cpu", "memory", "io")}
        self._pressure.step(time.monotonic())
        for resource, text in texts.items():
            for kind, microseconds in _PRESSURE_TOTAL.findall(text):
                if (rate := self._pressure.rate((resource, kind), int(microseconds))) is not None:
                    yield f"pressure.{kind}", min(rate / 10_000, 100.0), {"resource": resource}

    def _read_processes(self) -> Iterator[Reading]:
        for usage in self._processes.top():
            if usage.cpu is not None:
                yield "process.cpu", usage.cpu, {"process": usage.name}
            yield "process.memory", usage.memory, {"process": usage.name}
        yield "process.count", self._processes.count, {}


def _busy(shares: Mapping[str, float]) -> float:
    # Added up rather than taken from 100, so that rounding never makes an idle core negative.
    return min(sum(share for mode, share in shares.items() if mode not in _IDLE_MODES), 100.0)


def _tag_value(text: str) -> str:
    """`text` as the API takes it: mounts and processes may be named in bytes that aren't UTF-8, and be long."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", "")[:256]


def _read_load() -> Iterator[Reading]:
    for span, load in zip(("1m", "5m", "15m"), os.getloadavg(), strict=True):
        yield f"load.{span}", load, {}


def _read_memory() -> Iterator[Reading]:
    memory = psutil.virtual_memory()
    yield "memory.total", memory.total, {}
    yield "memory.usage", 100 * (memory.total - memory.available) / memory.total, {}
    kinds = {kind: getattr(memory, kind, 0) for kind in ("cached", "buffers", "free")}
    # So that used, cached, buffers and free stack up to the total, whatever psutil's version calls used.
    yield "memory.bytes", max(memory.total - sum(kinds.values()), 0), {"kind": "used"}
    for kind, size in {**kinds, "available": memory.available}.items():
        yield "memory.bytes", size, {"kind": kind}


def _read_swap() -> Iterator[Reading]:
    swap = psutil.swap_memory()
    if swap.total:
        yield "swap.usage", 100 * swap.used / swap.total, {}
        for kind, size in (("used", swap.used), ("free", swap.free), ("total", swap.total)):
            yield "swap.bytes", size, {"kind": kind}


def _read_uptime() -> Iterator[Reading]:
    # The boot clock counts suspended time and isn't moved when somebody sets the wall clock.
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.time() - psutil.boot_time()
    yield "host.uptime", uptime, {}


def _read_temperatures() -> Iterator[Reading]:
    if not hasattr(psutil, "sensors_temperatures"):
        return
    seen: set[str] = set()
    for chip, sensors in psutil.sensors_temperatures().items():
        for number, sensor in enumerate(sensors):
            name = f"{chip} {sensor.label or number}"[:250]
            name = name if name not in seen else f"{name} {number}"
            if _PLAUSIBLE_CELSIUS[0] < sensor.current < _PLAUSIBLE_CELSIUS[1] and name not in seen:
                seen.add(name)
                yield "sensors.temperature", sensor.current, {"sensor": name}


def _read_connections() -> Iterator[Reading]:
    """Only what the kernel counts anyway: listing every connection costs milliseconds for each thousand."""
    if sys.platform != "linux":
        return
    names, values = (line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:"))
    yield "tcp.connections", float(dict(zip(names, values, strict=True))["CurrEstab"]), {"state": "established"}
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            words = line.split()[1:]
            counts = dict(zip(words[::2], words[1::2], strict=False))
            yield "tcp.connections", float(counts.get("tw", 0)), {"state": "time_wait"}
            yield "tcp.connections", float(counts.get("orphan", 0)), {"state": "orphan"}
