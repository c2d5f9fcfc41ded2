"""Named queries: ``.sql`` files beside the module that runs them, each query under a ``-- name: x`` line."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: *(\w+).*$", re.MULTILINE)


@cache
def load(package: str, file: str) -> dict[str, LiteralString]:
    """The queries of a file by name. They are constants of this program: every value is a bound parameter."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: cast(LiteralString, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
