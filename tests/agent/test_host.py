"""Samples of the machine that runs the tests, and the choices behind them."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from dashapp.agent import host as host_module
from dashapp.agent import processes as processes_module
from dashapp.agent.catalog import CATALOG
from dashapp.agent.devices import chosen_mounts, interfaces, space
from dashapp.agent.host import Host
from dashapp.agent.processes import Processes
from dashapp.agent.rates import Rates
from dashapp.contract.metrics import MAX_POINTS_A_REQUEST, point_batch
from tests.running import until

_RATES = ("cpu.", "disk.io", "disk.ops", "disk.busy", "network.", "pressure.", "process.cpu")


def value(points: list[dict[str, Any]], name: str, **tags: str) -> float:
    [found] = [point["value"] for point in points if point["name"] == name and tags.items() <= point["tags"].items()]
    return found


@pytest.fixture(scope="module")
def samples() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    host = Host("h")
    first = host.sample()
    # Busy for a few ticks of the processor's clock, so that there is something to see.
    busy = time.monotonic()
    while time.monotonic() - busy < 0.4:
        pass
    return first, host.sample()


def test_points_are_what_the_api_takes(samples: tuple[list[dict[str, Any]], ...]) -> None:
    for sample in samples:
        assert len(point_batch.validate_python(sample)) <= MAX_POINTS_A_REQUEST
        assert len({point["timestamp"] for point in sample}) == 1
        assert all(type(point["value"]) is float and math.isfinite(point["value"]) for point in sample)
        assert {point["tags"]["host"] for point in sample} == {"h"}
        series = [(point["name"], tuple(sorted(point["tags"].items()))) for point in sample]
        assert len(series) == len(set(series))


def test_every_metric_is_in_the_catalog(samples: tuple[list[dict[str, Any]], ...]) -> None:
    assert {point["name"] for sample in samples for point in sample} <= {info.name for info in CATALOG}
    assert len({info.name for info in CATALOG}) == len(CATALOG)


def test_the_first_sample_has_no_rates(samples: tuple[list[dict[str, Any]], ...]) -> None:
    first, second = ({point["name"] for point in sample} for sample in samples)
    assert not {name for name in first if name.startswith(_RATES)}
    assert {"cpu.usage", "cpu.mode", "cpu.core", "process.cpu"} <= second


def test_values_make_sense(samples: tuple[list[dict[str, Any]], ...]) -> None:
    _, sample = samples
    units = {info.name: info.unit for info in CATALOG}
    assert all(point["value"] >= 0 for point in sample if point["name"] != "sensors.temperature")
    percents = [point for point in sample if units[point["name"]] == "percent" and point["name"] != "process.cpu"]
    assert all(point["value"] <= 100.000001 for point in percents)
    modes = sum(point["value"] for point in sample if point["name"] == "cpu.mode" and point["tags"]["mode"] != "iowait")
    assert value(sample, "cpu.usage") == pytest.approx(modes, abs=1e-6)
    assert value(sample, "cpu.usage") > 1
    total = value(sample, "memory.total")
    assert total == psutil.virtual_memory().total
    assert sum(value(sample, "memory.bytes", kind=kind) for kind in ("used", "cached", "buffers", "free")) == pytest.approx(total)
    assert value(sample, "host.uptime") == pytest.approx(time.time() - psutil.boot_time(), rel=0.05, abs=120)
    assert value(sample, "process.count") == pytest.approx(len(psutil.pids()), abs=30)


def test_this_process_is_seen_working(samples: tuple[list[dict[str, Any]], ...]) -> None:
    _, sample = samples
    name = psutil.Process().name()
    assert value(sample, "process.cpu", process=name) > 20
    assert value(sample, "process.memory", process=name) > 10_000_000


def test_it_is_cheap() -> None:
    """1.5 % of a core at 10 s is 150 ms a sample; a tenth of it leaves room for hosts with more to see."""
    host = Host("h")
    host.sample()
    began = time.process_time()
    for _ in range(10):
        host.sample()
    assert (time.process_time() - began) / 10 < 0.015


def test_a_source_that_fails_is_said_once_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object, **options: object) -> Any:
        raise RuntimeError("strange kernel")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    host = Host("h")
    names = {point["name"] for _ in range(3) for point in host.sample()}
    assert "memory.usage" not in names
    assert {"load.1m", "process.count", "host.uptime"} <= names
    assert [record.getMessage() for record in caplog.records] == [
        "This host's memory can't be read: strange kernel (RuntimeError). The rest is sent."
    ]


def test_names_that_the_api_would_refuse_are_cleaned() -> None:
    host = Host("h" * 300)
    point = host.point("disk.usage", 1, {"mount": os.fsdecode(b"/mnt/\xff\0" + b"x" * 300)}, 0)
    point_batch.validate_python([point])
    assert point["tags"]["mount"].startswith("/mnt/?x")
    assert Host().name == socket.gethostname()


def test_one_mount_that_fails_costs_only_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounts = [host_module.devices.Mount("/dev/a", str(tmp_path / "gone")), host_module.devices.Mount("/dev/b", str(tmp_path))]
    monkeypatch.setattr(host_module.devices, "mounts", lambda: mounts)
    sample = Host("h").sample()
    assert {point["tags"]["mount"] for point in sample if point["name"] == "disk.usage"} == {str(tmp_path)}


def test_mounts_worth_a_series(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("")
    folder, other, image = (tmp_path / name for name in ("data", "other", "image"))
    for path in (folder, other, image):
        path.mkdir()
    chosen = chosen_mounts(
        [
            ("/dev/sdb1", str(file), "ext4"),  # a container's bind of one file
            ("/dev/sdb1", str(other), "ext4"),  # the same disk under a longer path
            ("/dev/sdb1", str(folder), "ext4"),
            ("overlay", "/", "overlay"),
            ("overlay", str(other), "overlay"),
            ("/dev/loop3", str(image), "ext4"),
            ("tmpfs", "/tmp", "tmpfs"),
            ("proc", "/proc", "proc"),
            ("server:/export", str(image), "nfs4"),
            ("me@server:", str(image), "fuse.sshfs"),
            ("/dev/sdc1", str(image), "squashfs"),
        ]
    )
    assert [(mount.device, mount.path) for mount in chosen] == [("overlay", "/"), ("/dev/sdb1", str(folder))]


def test_room_is_counted_as_df_does(tmp_path: Path) -> None:
    room = space(str(tmp_path))
    assert room is not None
    expected = psutil.disk_usage(str(tmp_path))
    assert room.total == expected.total
    assert room.usage == pytest.approx(expected.percent, abs=1)


def test_a_file_system_without_size_or_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"f_frsize": 4096, "f_blocks": 0, "f_bfree": 0, "f_bavail": 0, "f_files": 0, "f_ffree": 0}
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(**sizes))
    assert space("/x") is None
    sizes.update(f_blocks=100, f_bfree=50, f_bavail=25)
    room = space("/x")
    assert room is not None
    assert room.inodes is None
    assert room.usage == pytest.approx(100 * 50 / 75)


def test_interfaces_worth_a_series() -> None:
    assert interfaces(["lo", "eth0", "veth12ab", "docker0", "br-77", "wlan0", "enp3s0", "wg0"]) == [
        "eth0",
        "wlan0",
        "enp3s0",
        "wg0",
    ]


def test_rates_know_resets_and_forget_what_is_gone() -> None:
    rates = Rates()
    rates.step(100.0)
    assert rates.rate("a", 1_000) is None
    rates.step(110.0)
    assert rates.rate("a", 1_500) == 50
    assert rates.rate("b", 7) is None  # plugged in
    rates.step(120.0)
    assert rates.rate("a", 200) is None  # reset
    rates.step(130.0)
    assert rates.rate("a", 300) == 10
    assert rates.rate("b", 8) is None  # was away
    rates.step(130.001)
    assert rates.rate("a", 400) is None  # too soon to tell


def _asleep(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has finished loading and does what it was started for."""
    process = psutil.Process(child.pid)
    return process.cmdline() == ["sleep", "60"] and process.status() == psutil.STATUS_SLEEPING


def test_processes_of_one_name_are_added_up() -> None:
    processes = Processes()
    processes.top()
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
    try:
        until(lambda: all(_asleep(child) for child in children), "the children to sleep")
        usage = {found.name: found for found in processes.top()}
        named = [process for process in psutil.process_iter(["name", "memory_info"]) if process.info["name"] == "sleep"]
        assert len(named) >= 3
        if "sleep" in usage and sys.platform == "linux":
            # Their shared pages count once.
            assert usage["sleep"].memory < sum(process.info["memory_info"].rss for process in named)
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_names_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    full_name = processes_module._full_name
    monkeypatch.setattr(processes_module, "_contents", lambda path: b"/opt/a/prometheus-node-exporter\0--x\0")
    assert full_name(7, b"prometheus-node", kernel=False) == "prometheus-node-exporter"
    assert full_name(7, b"Isolated Web Co", kernel=False) == "Isolated Web Co"
    assert full_name(7, b"(sd-pam)", kernel=False) == "(sd-pam)"
    assert full_name(7, b"kworker/0:1-events", kernel=True) == "kworker"
    assert full_name(7, b"\xff", kernel=False) == "\N{REPLACEMENT CHARACTER}"


def test_a_busy_process_stays_in_the_picture_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(processes_module.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(processes_module, "_memory", lambda pids, resident: resident)
    processes = Processes()
    cpu = {number: 0.0 for number in range(20)}

    def read() -> list[processes_module.Reading]:
        return [processes_module.Reading(pid, 0.0, 500.0, f"p{pid:02}", used, 1000 - pid) for pid, used in cpu.items()]

    monkeypatch.setattr(processes, "_read", read)
    memory_top = {f"p{number:02}" for number in range(8)}
    assert {usage.name for usage in processes.top()} == memory_top
    clock.now += 10
    cpu[19] += 5.0
    busy = {usage.name: usage.cpu for usage in processes.top()}
    assert busy["p19"] == 50.0
    assert set(busy) == memory_top | {"p19"}
    clock.now += 50
    assert {usage.name for usage in processes.top()} == memory_top | {"p19"}
    clock.now += 15
    assert {usage.name for usage in processes.top()} == memory_top
    # An old process that only now comes into view brings no burst with it.
    cpu[77] = 10_000.0
    clock.now += 10
    assert "p77" not in {usage.name for usage in processes.top() if usage.cpu}


def test_the_portable_reading_agrees() -> None:
    """What other systems than Linux use."""
    found = {reading.pid: reading for reading in processes_module._read_psutil()}
    mine = found[os.getpid()]
    assert mine.name == psutil.Process().name()
    assert mine.memory > 10_000_000
    assert mine.age > 0
