"""Serve over standard input and output, to the program that started us."""

from __future__ import annotations

import os
import signal

import anyio
from mcp.server.stdio import stdio_server

from agent_exec import ExecTool
from agent_exec.integrations.mcp.mistakes import AnswersMistakes
from agent_exec.integrations.mcp.server import make_server


def serve_stdio(worktree: str, policy: str) -> None:
    """Until standard input ends, nobody reads standard output, or a signal comes."""
    anyio.run(_serve, worktree, policy)


async def _serve(worktree: str, policy: str) -> None:
    async with ExecTool(worktree, policy=policy, asked_by="mcp") as tool:
        tool.warm_up()
        server = make_server(tool)
        async with anyio.create_task_group() as group:
            group.start_soon(_end_when_signalled, tool)
            try:
                async with stdio_server() as (reads, writes):
                    options = server.create_initialization_options()
                    try:
                        await server.run(AnswersMistakes(reads, writes), writes, options)
                    except anyio.get_cancelled_exc_class():
                        # By what writes, when nobody reads.
                        _end(tool, 0)
            except* BrokenPipeError:
                # The host is gone, and we were about to say so.
                _end(tool, 0)
            group.cancel_scope.cancel()


async def _end_when_signalled(tool: ExecTool) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for signum in signals:
            _end(tool, 128 + signum)


def _end(tool: ExecTool, status: int) -> None:
    """End every call, then the process.

    A thread waits for standard input, and nothing but an end of the process wakes it.
    """
    tool.close()
    os._exit(status)
