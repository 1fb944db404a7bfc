"""Serve over stdio, or over HTTP on this machine."""

from __future__ import annotations

import hmac
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import anyio
import uvicorn
from mcp.server.stdio import stdio_server

from agent_exec import ExecTool, InvalidCall
from agent_exec.integrations.mcp.server import make_server

TOKEN_VARIABLE = "AGENT_EXEC_MCP_TOKEN"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


def serve_stdio(worktree: str, policy: str) -> None:
    """Until standard input ends, or SIGTERM, SIGINT or SIGHUP comes."""
    anyio.run(_stdio, worktree, policy)


async def _stdio(worktree: str, policy: str) -> None:
    async with ExecTool(worktree, policy=policy, asked_by="mcp") as tool:
        server = make_server(tool)
        async with anyio.create_task_group() as group:
            group.start_soon(_end_when_signalled, tool)
            async with stdio_server() as (reads, writes):
                await server.run(reads, writes, server.create_initialization_options())
            group.cancel_scope.cancel()


async def _end_when_signalled(tool: ExecTool) -> None:
    """End every call, and then by the signal itself.

    A thread waits for standard input, and nothing but an end of the process wakes it.
    """
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for signum in signals:
            tool.close()
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)


def serve_http(worktree: str, policy: str, *, host: str, port: int) -> None:
    """The same for clients that know the token, which is told on standard error.

    Raises:
        InvalidCall: `host` is no address of this machine alone.
    """
    if host not in _LOOPBACK:
        raise InvalidCall(f"{host} can be reached from elsewhere; serve {', '.join(_LOOPBACK)}")
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)
    if TOKEN_VARIABLE not in os.environ:
        print(f"agent-exec: clients send: Authorization: Bearer {token}", file=sys.stderr)
    with ExecTool(worktree, policy=policy, asked_by="mcp http") as tool:
        app: _App = make_server(tool).streamable_http_app(host=host)
        config = uvicorn.Config(
            with_token(app, token), host=host, port=port, log_level="warning", access_log=False
        )
        server = uvicorn.Server(config)
        shown = f"[{host}]" if ":" in host else host
        print(f"agent-exec: listening on http://{shown}:{port}/mcp", file=sys.stderr, flush=True)
        server.run()


def with_token(app: _App, token: str) -> _App:
    """`app` for requests that carry `token`; 401 for all others."""
    expected = f"Bearer {token}".encode()

    async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
        given = b""
        for name, value in scope.get("headers", ()):
            if name == b"authorization":
                given = value
        if scope["type"] != "http" or hmac.compare_digest(given, expected):
            await app(scope, receive, send)
            return
        headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return guarded
