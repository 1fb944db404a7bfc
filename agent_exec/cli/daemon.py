"""``agent-exec daemon``, for typer."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agent_exec.errors import DaemonError

EXIT_NONE = 1


def daemon(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Serve in this process, until it is told to end.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Print what the daemon does, as one JSON object.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Let it finish its calls and end.")] = False,
    idle: Annotated[
        float, typer.Option("--idle", help="With --foreground: seconds without a client.")
    ] = 900.0,
) -> None:
    """Start the daemon, if there is none; it serves the hooks and tools of this user.

    Exit status: 0; 1 with --status or --stop when there is none, 125 when it cannot be had.
    """
    if foreground + status + stop > 1:
        raise typer.BadParameter("one of --foreground, --status and --stop")
    if foreground:
        from agent_exec.daemon.main import run  # noqa: PLC0415 - loads all that a call needs
        from agent_exec.daemon.server import Settings  # noqa: PLC0415

        raise typer.Exit(run(settings=Settings(idle_s=idle), attached=True))
    from agent_exec.daemon.client import Client  # noqa: PLC0415

    try:
        with Client.connect(start=not (status or stop)) as client:
            told = client.request("stop" if stop else "status")
    except DaemonError as error:
        if error.code != "not_running" or not (status or stop):
            raise
        typer.echo("no daemon runs", err=True)
        raise typer.Exit(EXIT_NONE) from None
    if not stop:
        typer.echo(json.dumps(told))
