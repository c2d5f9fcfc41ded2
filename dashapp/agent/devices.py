"""Which mounts, disks and interfaces are worth a series."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import psutil

#: File systems that hold no data of their own, or whose answer may hang (a network server that is away would
#: stop the sampling; the host that owns such a disk reports it).
_SKIPPED_FILESYSTEMS = frozenset(
    (
        "9p", "afs", "autofs", "binfmt_misc", "bpf", "ceph", "cgroup", "cgroup2", "cifs", "configfs", "debugfs", "devfs", "devpts",
        "devtmpfs", "efivarfs", "fuse", "fusectl", "glusterfs", "hugetlbfs", "iso9660", "lustre", "mqueue", "ncpfs", "nfs", "nfs4",
        "nsfs", "nullfs", "proc", "pstore", "ramfs", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs", "smb3", "smbfs", "squashfs",
        "sysfs", "tmpfs", "tracefs", "udf",
    )
)  # fmt: skip
_SKIPPED_DISKS = ("loop", "ram", "zram", "sr", "fd", "nbd")
_SKIPPED_INTERFACES = (
    "lo", "veth", "docker", "br-", "virbr", "vnet", "tap", "cali", "cni", "cilium", "flannel", "lxc", "lxdbr", "podman", "kube-",
    "nodelocaldns", "ifb", "dummy", "tunl", "sit", "gre", "erspan", "ip_vti", "ip6", "teql",
)  # fmt: skip


class Mount(NamedTuple):
    device: str
    path: str


def mounts() -> list[Mount]:
    """The mounted disks, each once, under its shortest path.

    Left out are pseudo, network and image file systems, overlays other than the root, and what containers bind:
    single files, and directories of a disk that is already there.
    """
    partitions = [(part.device, part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    return chosen_mounts(partitions)


def chosen_mounts(partitions: Iterable[tuple[str, str, str]]) -> list[Mount]:
    """`mounts`, from (device, path, file system) triples. Asks the disk only whether a path is a directory."""
    found: dict[str, Mount] = {}
    for device, path, filesystem in sorted(partitions, key=lambda part: (len(part[1]), part[1])):
        if filesystem in _SKIPPED_FILESYSTEMS or filesystem.startswith("fuse.") or not device:
            continue
        if device.startswith("/dev/loop") or (filesystem in ("overlay", "aufs") and path != "/"):
            continue
        if device not in found and os.path.isdir(path):
            found[device] = Mount(device, path)
    return list(found.values())


class Space(NamedTuple):
    """Room in a file system, bytes; `free` is what ordinary users may still take. `inodes` is percent used."""

    used: int
    free: int
    total: int
    usage: float
    inodes: float | None


def space(path: str) -> Space | None:
    """How full a file system is, counted as ``df`` does; None where it has no size.

    Raises:
        OSError: the path can't be asked.
    """
    stat = os.statvfs(path)
    used, free, total = ((blocks * stat.f_frsize) for blocks in (stat.f_blocks - stat.f_bfree, stat.f_bavail, stat.f_blocks))
    if total <= 0 or used + free <= 0:
        return None
    # Some file systems (btrfs, vfat) make inodes as they need them and report none.
    inodes = 100 * (stat.f_files - stat.f_ffree) / stat.f_files if stat.f_files > 0 else None
    return Space(used, free, total, 100 * used / (used + free), inodes)


def disks(names: Iterable[str]) -> list[str]:
    """The whole, physical disks among the kernel's block devices.

    Partitions and the volumes on top (LVM, RAID, encryption) count the same bytes again. Where nothing is known to
    be physical, as in some virtual machines, every whole device counts.
    """
    whole = [name for name in names if not name.startswith(_SKIPPED_DISKS) and _in_sysfs(f"/sys/block/{name.replace('/', '!')}")]
    return [name for name in whole if _in_sysfs(f"/sys/block/{name.replace('/', '!')}/device")] or whole


@lru_cache(maxsize=1024)
def _in_sysfs(path: str) -> bool:
    # Asked for each device at each sample; what a name stands for doesn't change while it is plugged in.
    return not os.path.isdir("/sys/block") or os.path.exists(path)


def interfaces(names: Iterable[str]) -> list[str]:
    """Interfaces to the outside: no loopback, none that only lead to a container or virtual machine on this host."""
    return [name for name in names if not name.startswith(_SKIPPED_INTERFACES)]
