"""Snapshots on disk."""

from __future__ import annotations

from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a report that is looked at while it is written anew is never half a file.

    Raises:
        OSError: the file can't be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
