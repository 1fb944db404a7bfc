"""The process of the daemon, from its start to its exit status."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress

from agent_exec.daemon.places import Places
from agent_exec.daemon.server import Server, Settings
from agent_exec.errors import AgentExecError


def run(*, settings: Settings | None = None, attached: bool = False) -> int:
    """Serve; the exit status.

    Args:
        settings: Those for users when not given.
        attached: Keep stdout and the directory, for somebody who looks on.
    """
    places = Places.find(os.environ)
    try:
        asyncio.run(_serve(places, settings or Settings(), attached=attached))
    except (AgentExecError, OSError) as error:
        _say({"error": str(error)})
        return 1
    return 0


async def _serve(places: Places, settings: Settings, *, attached: bool) -> None:
    server = Server(places, settings)
    if not attached:
        os.chdir("/")

    def ready() -> None:
        _say({"pid": os.getpid(), "socket": places.socket})
        if not attached:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)

    await server.run(ready)


def _say(message: dict[str, object]) -> None:
    """Tell whoever has started us, who may have gone meanwhile."""
    if sys.stdout is not None:
        with suppress(BrokenPipeError):
            os.write(1, f"{json.dumps(message)}\n".encode())
