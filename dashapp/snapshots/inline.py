"""The pages' own scripts and styles, put into a file.

Modules import each other by bare names that the file's import map leads to ``data:`` addresses: a browser loads those
without a request, also from disk.
"""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from functools import cache
from pathlib import Path

import orjson
from bokeh.settings import settings as bokeh_settings
from jinja2 import Environment, FileSystemLoader, StrictUndefined

#: They are read as the files that they are; nothing of the pages is imported.
STATIC = Path(__file__).parents[1] / "pages" / "static"
# Panels' frames are those of the page.
_environment = Environment(
    loader=FileSystemLoader([Path(__file__).parent / "templates", STATIC.parent / "templates"]),
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
#: What stands before the name (with a bracket where it is imported later), the quote, the name.
_IMPORT = re.compile(r"""((?:\bfrom|\bimport)\s*\(?\s*)(["'])\./([\w/.-]+)\.js\2""")


def imported(entry: str, *, later: bool = True) -> dict[str, str]:
    """``js/{entry}.js`` and all that it imports, from the start or also `later`: name to source."""
    found: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = script(name)
            waiting += [match[3] for match in _IMPORT.finditer(found[name]) if later or "(" not in match[1]]
    return found


@cache
def modules(entry: str) -> dict[str, str]:
    """The import map of ``js/{entry}.js`` and all that it imports, now or later: bare name to ``data:`` address."""

    def address(source: str) -> str:
        bare = _IMPORT.sub(lambda match: f'{match[1]}"dashapp/{match[3]}"', source)
        return f"data:text/javascript;base64,{b64encode(bare.encode()).decode()}"

    return {f"dashapp/{name}": address(source) for name, source in sorted(imported(entry).items())}


@cache
def script(name: str) -> str:
    """A script of ours."""
    return (STATIC / "js" / f"{name}.js").read_text(encoding="utf-8")


@cache
def style() -> str:
    """The pages' style sheet."""
    return (STATIC / "css" / "dashapp.css").read_text(encoding="utf-8")


@cache
def bokeh() -> str:
    """BokehJS's core bundle, packed."""
    return packed((Path(bokeh_settings.bokehjs_path()) / "js" / "bokeh.min.js").read_bytes())


def packed(content: bytes) -> str:
    """Compressed, as text that may stand in a script element: a third of the size even so."""
    return b64encode(gzip.compress(content, 6, mtime=0)).decode()


def in_html(json: bytes) -> str:
    """JSON that may stand in a script element."""
    return json.decode().replace("<", "\\u003c")


def page(name: str, /, **values: object) -> str:
    """The page ``templates/{name}.html``, which needs no other file; its modules are ``js/{name}.js`` and what that imports."""
    imports = in_html(orjson.dumps({"imports": modules(name)}))
    return _environment.get_template(f"{name}.html").render(modules=imports, style=style(), bokeh=bokeh(), **values)
