"""The agent as a whole: sample on the clock, spool, send, stop cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from dashapp.agent.daemon import in_thread
from dashapp.agent.host import Host
from dashapp.agent.sender import Sender
from dashapp.agent.spool import Spool
from dashapp.agent.ticks import ticks
from dashapp.errors import StartupError

#: How long a stop may take to send what waits; the rest stays in the spool.
FLUSH_S = 2.0
#: Rates over less than this after the agent's start say more about the clock's grain than about the host.
_FIRST_RATES_S = 0.25
_PARENT_POLL_S = 2.0


async def run(
    url: str,
    token: str,
    interval_s: float,
    spool_dir: Path,
    *,
    host_name: str | None = None,
    warm_up_s: float = 0.0,
    parent_pid: int | None = None,
) -> None:
    """Send this host's metrics until SIGTERM, SIGINT, cancellation or the parent's end.

    Args:
        url: of the server, ``http://127.0.0.1:5006``.
        token: with scope ``ingest`` or more.
        interval_s: seconds between samples, which fall on its multiples since the Unix epoch; 1 to 3600.
        spool_dir: where points wait; one agent at a time.
        host_name: value of the tag ``host``; the system's own when missing.
        warm_up_s: for so many seconds samples come every second, so that a first picture has lines.
        parent_pid: end when this process does.

    Raises:
        StartupError: an argument can't be used, or another agent owns the spool.
    """
    if not 1 <= interval_s <= 3600:
        raise StartupError(f"the agent's interval is {interval_s:g} s; it must lie between 1s and 1h.")
    if (http_log := logging.getLogger("httpx")).level == logging.NOTSET:
        http_log.setLevel(logging.WARNING)  # it says a line for each request
    with Spool(spool_dir) as spool:
        sender = Sender(spool, url, token)
        try:
            await _run(Host(host_name), spool, sender, interval_s, warm_up_s, parent_pid)
        finally:
            await sender.close()


async def _run(host: Host, spool: Spool, sender: Sender, interval_s: float, warm_up_s: float, parent_pid: int | None) -> None:
    stop = asyncio.Event()
    with _stopped_by_signals(stop):
        tasks = [
            asyncio.create_task(_sample(host, spool, sender, interval_s, warm_up_s), name="agent: sample"),
            asyncio.create_task(sender.run(), name="agent: send"),
            asyncio.create_task(_parent_ended(parent_pid), name="agent: parent"),
            asyncio.create_task(stop.wait(), name="agent: stop"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await sender.flush()
        for task in done:
            task.result()  # a bug in one of them ends the agent loudly


async def _sample(host: Host, spool: Spool, sender: Sender, interval_s: float, warm_up_s: float) -> None:
    # The first sample has no rates. Taken now and thrown away, it lets the first one that is sent have them.
    await in_thread(host.sample)
    rates_from = time.monotonic() + _FIRST_RATES_S
    async for tick in ticks(interval_s, warm_up_s):
        if time.monotonic() < rates_from:
            continue
        timestamp = round(tick * 1000)
        points = await in_thread(host.sample, timestamp)
        points += _own_points(host, spool, sender, timestamp)
        await in_thread(spool.append, points)
        sender.wake()


def _own_points(host: Host, spool: Spool, sender: Sender, timestamp: int) -> list[dict[str, Any]]:
    readings: list[tuple[str, int, dict[str, str]]] = [
        ("agent.buffered", spool.waiting, {}),
        ("agent.dropped", spool.take_dropped(), {"reason": "full"}),
        ("agent.dropped", sender.take_refused(), {"reason": "refused"}),
    ]
    return [host.point(name, value, tags, timestamp) for name, value, tags in readings]


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`. In a thread of a larger program, which gets the signals itself, nothing happens."""
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # What loops answer that have no signals: RuntimeError or ValueError outside the main thread, NotImplementedError on
        # Windows. The agent then ends with its parent or by cancellation.
        with contextlib.suppress(RuntimeError, ValueError, NotImplementedError):
            loop.add_signal_handler(number, stop.set)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


async def _parent_ended(pid: int | None) -> None:
    """Return when the process has ended; never, where there is none to follow."""
    if pid is None:
        await asyncio.Event().wait()
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # not Linux, or an old one
        await _parent_polled(pid)
        return
    # The kernel tells, so that nothing need wake up to ask.
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(descriptor, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _parent_polled(pid: int) -> None:
    try:
        parent = psutil.Process(pid)
        # is_running tells a later process with the same pid from this one.
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(_PARENT_POLL_S)
    except psutil.NoSuchProcess:
        return
