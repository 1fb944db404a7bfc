"""``agent-exec uninstall``, for typer."""

from __future__ import annotations

from typing import Annotated

import typer


def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove our state, too: records, outputs, sockets.")
    ] = False,
) -> None:
    """Take back what installs have changed in the files of hosts.

    The package itself is removed by what has installed it. Exit status: 0; 125 when a file
    could not be taken back, which says why.
    """
    from agent_exec.integrations.remove import remove_all  # noqa: PLC0415

    for line in remove_all(purge=purge):
        typer.echo(line)
