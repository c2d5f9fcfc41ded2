"""dashapp: self-hosted metrics monitoring and dashboards."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dashapp.client import AsyncClient, Client

__version__ = "0.1.0"


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | str | None = None,
    timeout_s: float = 60.0,
    patience_s: float = 30.0,
) -> Client:
    """A client of a running dashapp.

    Args:
        url: of the server; else ``DASHAPP_URL``, else that of the ``dashapp up`` which runs on this machine.
        token: an API token with scope ``read`` or ``write``; else ``DASHAPP_TOKEN``, else the running dashapp's own for
            whoever may read its data directory.
        data_dir: of the running dashapp, where it isn't the usual one.
        timeout_s: how long the server may take to answer one request.
        patience_s: how long requests are repeated while the server is away.

    Raises:
        StartupError: no server is named and none runs here, or there is no token.
    """
    from dashapp import client

    return client.connect(url, token, data_dir=data_dir, timeout_s=timeout_s, patience_s=patience_s)


def connect_async(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | str | None = None,
    timeout_s: float = 60.0,
    patience_s: float = 30.0,
) -> AsyncClient:
    """The same for programs with an event loop: all methods are coroutines."""
    from dashapp import client

    return client.connect_async(url, token, data_dir=data_dir, timeout_s=timeout_s, patience_s=patience_s)


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
