"""Reports in a folder: the newest are kept."""

from __future__ import annotations

import re
from pathlib import Path

from dashapp.snapshots.files import replace


def keep(base: Path, folder: str, name: str, mark: str, content: bytes, most: int) -> Path:
    """Write ``base/folder/name`` and remove all but the newest `most` of the files that have this `mark`.

    The same name is the same report: it is replaced. Only names as `dashapp.snapshots.snapshot.file_name` makes them are
    ever removed.

    Raises:
        OSError: the file can't be written.
        ValueError: the folder isn't in `base`, but a way out of it.
    """
    base.mkdir(parents=True, exist_ok=True)
    directory = base / folder
    if directory.resolve().parent != base.resolve():
        raise ValueError(f"the folder {folder!r} leads out of {base}")
    directory.mkdir(exist_ok=True)
    replace(directory / name, content)
    ours = re.compile(rf"[a-z0-9-]+-(\d{{4}}-\d\d-\d\d-\d{{4}}){re.escape(mark)}\.html")
    dated = sorted(((found[1], path) for path in directory.iterdir() if (found := ours.fullmatch(path.name))), reverse=True)
    for _, path in dated[most:]:
        path.unlink(missing_ok=True)
    return directory / name
