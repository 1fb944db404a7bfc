"""``agent-exec mcp``."""

from __future__ import annotations

from functools import partial
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
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="With --http: the port; 0 for a free one.")
    ] = 8765,
    token_file: Annotated[
        str | None, typer.Option(help="With --http: the file of the token; made if there is none.")
    ] = None,
) -> None:
    """Serve the tool to an MCP host: over stdio, or HTTP on this machine."""
    try:
        if http:
            from agent_exec.integrations.mcp.http import serve_http  # noqa: PLC0415 - an extra

            serve = partial(serve_http, host=host, port=port, token_file=token_file)
        else:
            from agent_exec.integrations.mcp.stdio import serve_stdio  # noqa: PLC0415 - an extra

            serve = partial(serve_stdio)
    except ImportError as error:
        raise Unsupported(
            f"what MCP needs is missing or too old ({error}): pip install 'agent-exec[mcp]'"
        ) from None
    serve(worktree, policy)
