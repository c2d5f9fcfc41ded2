"""What each of the agent's metrics means. The server seeds its metric descriptions from here."""

from __future__ import annotations

from dashapp.contract.dashboards import Unit
from dashapp.contract.metrics import MetricInfo


def _gauge(name: str, unit: Unit, description: str) -> MetricInfo:
    return MetricInfo(name=name, type="gauge", unit=unit, description=description)


#: In the order of the documentation. Every metric has the tag ``host``; descriptions name the others.
CATALOG: list[MetricInfo] = [
    _gauge("cpu.usage", "percent", "Processor time in use, all cores together."),
    _gauge("cpu.mode", "percent", "Processor time by {mode}: user, system, iowait, nice, irq, softirq, steal."),
    _gauge("cpu.core", "percent", "Processor time in use of each {core}."),
    _gauge("load.1m", "short", "Processes that run or wait to, averaged over 1 minute."),
    _gauge("load.5m", "short", "Processes that run or wait to, averaged over 5 minutes."),
    _gauge("load.15m", "short", "Processes that run or wait to, averaged over 15 minutes."),
    _gauge("memory.usage", "percent", "Memory that programs can't get any more: total less available."),
    _gauge(
        "memory.bytes",
        "bytes",
        "Memory by {kind}: used, cached, buffers and free add up to the total; available is what programs can still get.",
    ),
    _gauge("memory.total", "bytes", "Memory that the host has."),
    _gauge("swap.usage", "percent", "Swap space in use."),
    _gauge("swap.bytes", "bytes", "Swap space by {kind}: used, free, total."),
    _gauge("disk.usage", "percent", "Space in use on each {mount}, as df counts it."),
    _gauge("disk.bytes", "bytes", "Space on each {mount} by {kind}: used, free (to ordinary users), total."),
    _gauge("disk.inodes", "percent", "Inodes in use on each {mount}; absent where the file system has no fixed number."),
    _gauge("disk.io", "bytes/s", "Bytes that each {device} reads and writes, by {direction}: read, write."),
    _gauge("disk.ops", "ops/s", "Operations that each {device} completes, by {direction}: read, write."),
    _gauge("disk.busy", "percent", "Time in which each {device} had work to do."),
    _gauge("network.io", "bytes/s", "Bytes through each {interface}, by {direction}: in, out."),
    _gauge("network.packets", "ops/s", "Packets a second through each {interface}, by {direction}: in, out."),
    _gauge("network.errors", "ops/s", "Broken packets a second on each {interface}, by {direction}: in, out."),
    _gauge("network.drops", "ops/s", "Dropped packets a second on each {interface}, by {direction}: in, out."),
    _gauge("tcp.connections", "count", "TCP connections by {state}: established, time_wait, orphan."),
    _gauge("pressure.some", "percent", "Time in which some task waited for the {resource}: cpu, memory, io."),
    _gauge("pressure.full", "percent", "Time in which all tasks waited for the {resource} at once: cpu, memory, io."),
    _gauge(
        "process.cpu", "percent", "Processor time of the processes named {process}, 100 being one core; the busiest names only."
    ),
    _gauge(
        "process.memory",
        "bytes",
        "Resident memory of the processes named {process}, shared pages counted once; the largest names only.",
    ),
    _gauge("process.count", "count", "Processes on the host."),
    _gauge("host.uptime", "seconds", "Time since the host started."),
    _gauge("sensors.temperature", "short", "Degrees Celsius at each {sensor}."),
    _gauge("agent.buffered", "count", "Points that wait on the agent's disk, because the server is away or slow."),
    _gauge(
        "agent.dropped",
        "count",
        "Points lost since the agent's previous sample, by {reason}: full (the buffer was), refused (by the server).",
    ),
]
