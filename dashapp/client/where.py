"""Which server, and with which token: arguments first, then the environment, then the running ``dashapp up``."""

from __future__ import annotations

import os
from pathlib import Path

from dashapp.client import local
from dashapp.contract.addresses import server_url
from dashapp.errors import StartupError


def _data_dir(data_dir: Path | str | None) -> Path:
    given = data_dir or os.environ.get("DASHAPP_DATA_DIR")
    if given:
        return Path(given)
    from dashapp.settings import load

    return load().data_dir


def find(url: str | None, token: str | None, data_dir: Path | str | None = None) -> tuple[str, str]:
    """(URL, token) of the server that is meant.

    Raises:
        StartupError: none is named and none runs here, or there is no token for the one that is named.
    """
    url, token = url or os.environ.get("DASHAPP_URL"), token or os.environ.get("DASHAPP_TOKEN")
    if url and token:
        return server_url(url), token.strip()
    directory = _data_dir(data_dir)
    running = local.read(directory)
    if url is None:
        if running is None:
            raise StartupError(
                f"no dashapp runs in {directory}; start `dashapp up`, or give a URL and a token (DASHAPP_URL, DASHAPP_TOKEN)."
            )
        return running.url, token.strip() if token else running.token
    url = server_url(url)
    # The local token goes to the server that made it, and to no other.
    if running is None or url != running.url:
        raise StartupError(f"there is no token for {url}; make one with `dashapp token create` and set DASHAPP_TOKEN.")
    return url, running.token
