"""``agent-exec mcp``."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_exec.errors import Unsupported


def mcp(
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="A shipped policy, or the path of a file.")
    ] = "default",
    worktree: Annotated[
        str, typer.Option("--worktree", "-w", help="The directory to work in.")
    ] = ".",
    http: Annotated[
        bool, typer.Option("--http", help="Serve streamable HTTP instead of stdio.")
    ] = False,
    host: Annotated[str, typer.Option(help="With --http: the loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --http: the port.")] = 8765,
) -> None:
    """Serve the tool to an MCP host: over stdio, or HTTP on this machine."""
    try:
        from agent_exec.integrations.mcp import run  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise Unsupported(
            f"the package {error.name} is missing: pip install 'agent-exec[mcp]'"
        ) from None
    if http:
        run.serve_http(worktree, policy, host=host, port=port)
    else:
        run.serve_stdio(worktree, policy)
