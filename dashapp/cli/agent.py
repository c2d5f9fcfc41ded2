"""``dashapp agent``: sends this host's metrics to a dashapp."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from dashapp.contract.durations import parse_ms
from dashapp.errors import StartupError


def _seconds(text: str, option: str) -> float:
    try:
        return parse_ms(text) / 1000
    except ValueError as error:
        raise StartupError(f"{option}: {error}.") from None


def agent(
    url: Annotated[str, typer.Option("--url", envvar="DASHAPP_URL", help="The server, e.g. http://127.0.0.1:5006.")],
    token: Annotated[
        str, typer.Option("--token", envvar="DASHAPP_AGENT_TOKEN", help="A token with scope `ingest`.", show_default=False)
    ],
    interval: Annotated[str, typer.Option("--interval", help="Time between samples, 1s to 1h.")] = "10s",
    name: Annotated[
        str | None, typer.Option("--name", help="This host's name; the system's own unless set.", show_default=False)
    ] = None,
    spool: Annotated[
        Path | None, typer.Option("--spool", help="Folder where points wait while the server is away.", show_default=False)
    ] = None,
    warm_up: Annotated[
        str | None, typer.Option("--warm-up", help="Sample every second for so long first.", show_default=False)
    ] = None,
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
) -> None:
    """Send this host's metrics; buffer on disk and try again while the server is away."""
    from dashapp.agent.run import run

    interval_s = _seconds(interval, "--interval")
    warm_up_s = _seconds(warm_up, "--warm-up") if warm_up else 0.0
    folder = spool or platformdirs.user_state_path("dashapp") / "agent"
    asyncio.run(run(url, token, interval_s, folder, host_name=name, warm_up_s=warm_up_s, parent_pid=parent))
