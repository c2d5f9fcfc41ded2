"""Jinja templates, and the addresses of static files."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from bokeh.settings import settings as bokeh_settings
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

STATIC = Path(__file__).parent / "static"

_environment = Environment(
    loader=PackageLoader("dashapp.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@cache
def asset(path: str) -> str:
    """The address of one of dashapp's own files; it changes with the content, so that browsers may keep it."""
    return f"/assets/{path}?v={_digest(STATIC / path)}"


@cache
def bokeh_script() -> str:
    """BokehJS's core bundle: plots need no widgets, tables, WebGL or Panel models."""
    return f"/static/js/bokeh.min.js?v={_digest(Path(bokeh_settings.bokehjs_path()) / 'js' / 'bokeh.min.js')}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


_environment.globals.update(asset=asset, bokeh_script=bokeh_script)


def render(name: str, **values: Any) -> str:
    return _environment.get_template(name).render(**values)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(name, **values), status, headers={"Cache-Control": "no-store"})
