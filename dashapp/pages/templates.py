"""Jinja templates."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dashapp.pages.assets import asset, bokeh_script, imports
from dashapp.pages.headers import nonce

_environment = Environment(
    loader=PackageLoader("dashapp.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


_environment.globals.update(asset=asset, bokeh_script=bokeh_script, imports=imports, nonce=nonce)


def render(name: str, **values: Any) -> str:
    return _environment.get_template(name).render(**values)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(name, **values), status, headers={"Cache-Control": "no-store"})
