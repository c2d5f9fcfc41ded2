"""Where the running ``dashapp up`` of this machine is, and the token with which its owner's tools speak to it.

``up`` writes both into a file of its data directory that only its owner can read. The token is made anew at each start,
which ends the one before; the file goes when dashapp stops.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from dashapp.errors import StartupError

FILE = "local.json"


@dataclass(frozen=True)
class Local:
    url: str
    token: str
    #: Of the process that serves.
    pid: int


def write(data_dir: Path, url: str, token: str) -> None:
    """Leave word, for the owner's eyes only from the first byte on."""
    fresh = data_dir / f"{FILE}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(asdict(Local(url, token, os.getpid()))))
    fresh.replace(data_dir / FILE)


def forget(data_dir: Path) -> None:
    (data_dir / FILE).unlink(missing_ok=True)


def read(data_dir: Path) -> Local | None:
    """What the running dashapp of this directory has left; None where none runs.

    Raises:
        StartupError: one runs, but it belongs to somebody else.
    """
    try:
        local = Local(**orjson.loads((data_dir / FILE).read_bytes()))
    except PermissionError:
        raise StartupError(
            f"the dashapp in {data_dir} belongs to another user; give its URL and a token (`dashapp token create`)."
        ) from None
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None
    return local if _lives(local.pid) else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's, so it lives
    return True
