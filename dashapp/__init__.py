"""dashapp: self-hosted metrics monitoring and dashboards."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashapp.client import connect, connect_async

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "connect_async"]


def __getattr__(name: str) -> Any:
    """The client is loaded when somebody connects: the server, the agent and the commands begin with this module, too."""
    if name not in ("connect", "connect_async"):
        raise AttributeError(f"module 'dashapp' has no attribute {name!r}")
    from dashapp import client

    return getattr(client, name)


def __dir__() -> list[str]:
    return [*globals(), "connect", "connect_async"]


def _shown(thing: Any) -> Any:
    from dashapp import notebook

    return notebook.bundle(thing)


def _tell_notebook() -> None:
    """In a notebook panels and dashboards show themselves. What shows them is loaded with the first of them."""
    if "ipykernel" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
        formatter = shell.display_formatter.mimebundle_formatter
        for module, name in (("dashapp.panels.base", "Panel"), ("dashapp.client.stored", "StoredDashboard")):
            formatter.for_type_by_name(module, name, _shown)


_tell_notebook()
