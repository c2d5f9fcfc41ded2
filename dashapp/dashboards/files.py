"""Dashboards as YAML files: the API's own models with its camelCase keys."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from uuid import UUID

import yaml
from pydantic import ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import Dashboard, DashboardRequest
from dashapp.dashboards import layout
from dashapp.dashboards.store import Dashboards
from dashapp.errors import ValidationFailed

log = logging.getLogger(__name__)


def parse(text: str, name: str) -> DashboardRequest:
    """The dashboard that a YAML text defines; `name` is the file's, for messages.

    Raises:
        ValidationFailed: it is no YAML or no dashboard; the sentence names file and field.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise ValidationFailed(f"{name}{line}: no valid YAML ({problem}).", details={"body": str(problem)}) from None
    if not isinstance(document, dict):
        raise ValidationFailed(f"{name}: a dashboard's file is a mapping with name and panels.", details={"body": "no mapping"})
    try:
        request = DashboardRequest.model_validate(document)
        layout.arranged(request.panels)
    except ValidationError as error:
        failure = from_pydantic(error)
        raise ValidationFailed(f"{name}: {failure}", details=failure.details) from None
    except ValidationFailed as failure:
        raise ValidationFailed(f"{name}: {failure}", details=failure.details) from None
    return request


def read_file(path: Path) -> DashboardRequest:
    """The dashboard that a file defines.

    Raises:
        ValidationFailed: the file can't be read, or see `parse`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ValidationFailed(f"{path.name}: can't be read ({reason}).") from None
    return parse(text, path.name)


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
