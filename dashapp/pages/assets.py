"""Scripts and style sheets: served under addresses that change with the content, so that browsers keep what they have.

The digest is a folder of the address, not a query: scripts import each other by relative paths and so stay with their
own version.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

from bokeh.settings import settings as bokeh_settings
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from dashapp.snapshots.inline import imported

_OWN = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSED = {".js", ".css", ".svg"}


def _bokeh() -> Path:
    return Path(bokeh_settings.bokehjs_path()) / "js"


@cache
def _root(directory: Path, pattern: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob(pattern) if path.is_file()):
        digest.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes())
    return f"/assets/{digest.hexdigest()[:12]}"


def asset(path: str) -> str:
    """The address of one of dashapp's own files."""
    return f"{_root(_OWN, '*')}/{path}"


@cache
def imports(script: str, *, beyond: str = "") -> list[str]:
    """The addresses of all that ``js/{script}.js`` imports from the start, so that a page can ask for them at once.

    With `beyond`, for a script that ``js/{beyond}.js`` imports later: its own address too, and nothing that is there by then.
    """
    known = imported(beyond, later=False) if beyond else {script: ""}
    return [asset(f"js/{name}.js") for name in imported(script, later=False) if name not in known]


def bokeh_script() -> str:
    """The address of BokehJS's core bundle: plots need no widgets, tables, WebGL or Panel models."""
    return f"{_root(_bokeh(), 'bokeh.min.js')}/bokeh.min.js"


def asset_folders() -> list[tuple[str, str, Path]]:
    """(name, address, directory) of each folder to serve."""
    return [("assets", _root(_OWN, "*"), _OWN), ("bokehjs", _root(_bokeh(), "bokeh.min.js"), _bokeh())]


@cache
def _gzipped(path: Path) -> bytes:
    # Once a process: BokehJS shrinks from 1.3 MB to a quarter, which a viewer far away waits for.
    return gzip.compress(path.read_bytes(), 6, mtime=0)


class Assets(StaticFiles):
    """A folder of files that never change under their address."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        if isinstance(response, FileResponse) and Path(response.path).suffix in _COMPRESSED and _takes_gzip(scope):
            body = await asyncio.to_thread(_gzipped, Path(response.path))
            return Response(body, headers=headers | {"Content-Encoding": "gzip"}, media_type=response.media_type)
        response.headers.update(headers)
        return response


def _takes_gzip(scope: MutableMapping[str, Any]) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")
