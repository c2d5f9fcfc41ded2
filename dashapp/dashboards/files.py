"""Files of dashboards, and the examples that `dashapp up` loads."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from dashapp.contract import documents
from dashapp.contract.dashboards import Dashboard
from dashapp.contract.documents import DashboardDocument
from dashapp.dashboards import layout
from dashapp.errors import ValidationFailed

if TYPE_CHECKING:
    from dashapp.dashboards.store import Dashboards

log = logging.getLogger(__name__)


def parse(text: str, name: str) -> DashboardDocument:
    """The dashboard that a YAML text defines; `name` is the file's, for messages.

    Raises:
        ValidationFailed: it is no YAML, no dashboard, or has more panels than the grid; the sentence names file and field.
    """
    document = documents.parse(text, name)
    try:
        layout.arranged(document.panels)
    except ValidationFailed as failure:
        raise ValidationFailed(f"{name}: {failure}", details=failure.details) from None
    return document


def read_file(path: Path) -> DashboardDocument:
    """The dashboard that a file defines.

    Raises:
        ValidationFailed: the file can't be read, or see `parse`.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValidationFailed(f"{path.name}: can't be read ({error.strerror}).") from None
    return read_text(raw, path.name)


def read_text(raw: bytes, name: str) -> DashboardDocument:
    """The dashboard that a file's bytes define.

    Raises:
        ValidationFailed: they are no UTF-8, or see `parse`.
    """
    try:
        return parse(raw.decode("utf-8-sig"), name)
    except UnicodeDecodeError:
        raise ValidationFailed(f"{name}: can't be read (no UTF-8 text).", details={"body": "no UTF-8 text"}) from None


def placed(document: DashboardDocument) -> DashboardDocument:
    """The document with the positions that its panels get where they name none."""
    panels = [
        panel.model_copy(update={"position": position})
        for panel, position in zip(document.panels, layout.arranged(document.panels), strict=True)
    ]
    return document.model_copy(update={"panels": panels})


def files_in(directory: Path) -> list[Path]:
    """The dashboards' files of a directory, by name."""
    return sorted(path for path in directory.glob("*.y*ml") if path.suffix in (".yaml", ".yml"))


async def load_examples(store: Dashboards, owner_id: UUID, directory: Path) -> list[Dashboard]:
    """Create the directory's dashboards that were never loaded before, and answer those.

    A user who deletes or renames one has decided so: it doesn't come back. A file that can't be read is logged and
    left out; it must not keep dashapp from starting.
    """
    created = []
    for path in await asyncio.to_thread(files_in, directory):
        try:
            dashboard = await store.create_example(owner_id, await asyncio.to_thread(read_file, path))
        except ValidationFailed as error:
            log.error("example dashboard left out: %s", error)
            continue
        if dashboard is not None:
            created.append(dashboard)
    return created
