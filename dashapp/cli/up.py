"""``dashapp up``: the whole thing on one machine."""

from __future__ import annotations

from typing import Annotated

import typer

from dashapp.cli.where import DataDir, Host, Port


def up(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    no_agent: Annotated[bool, typer.Option("--no-agent", help="Don't sample this host.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the sign-in link in a browser.")] = False,
) -> None:
    """Start everything on this machine: database, schema, admin, examples, host agent, server. Ctrl-C stops it all."""
    from dashapp.settings import load

    settings = load(data_dir=data_dir, host=host, port=port)
    from dashapp.cli.machine import Machine  # takes a while, which a refusal needn't wait for

    Machine(settings, agent=not no_agent, open_browser=open_browser).run()
