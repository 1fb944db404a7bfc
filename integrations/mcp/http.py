"""Serve streamable HTTP, to clients on this machine that know the token."""

from __future__ import annotations

import hmac
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import anyio
import uvicorn

from agent_exec import ExecTool, InvalidCall
from agent_exec.integrations.mcp.server import make_server
from agent_exec.integrations.mcp.tokens import find_token

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BACKLOG = 128
_BODY_BYTES = 64 * 1024 * 1024
"""More than any call may hold, escapes and all, so that the answer to a long one is the tool's."""
_LAST_WORDS_S = 5
"""Seconds in which connections get their answers when the server ends."""

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


def serve_http(
    worktree: str, policy: str, *, host: str, port: int, token_file: str | None = None
) -> None:
    """Until a signal comes. Where it listens, and the token, are told on standard error.

    Args:
        worktree: The directory to work in.
        policy: A shipped name, or the path of a file.
        host: A loopback address.
        port: 0 for one that is free.
        token_file: See `find_token`.

    Raises:
        InvalidCall: `host` is no address of this machine alone, the port is not to be had,
            or the token is not safe.
        SystemExit: 128 + the number of the signal; 1 where it could not start to serve.
    """
    if host not in _LOOPBACK:
        raise InvalidCall(f"{host} can be reached from elsewhere; serve {', '.join(_LOOPBACK)}")
    token = find_token(token_file, worktree, os.environ)
    with (
        ExecTool(worktree, policy=policy, asked_by="mcp") as tool,
        _listening(host, port) as listener,
    ):
        tool.warm_up()
        app: _App = make_server(tool).streamable_http_app(
            host=host, max_request_body_size=_BODY_BYTES
        )
        config = uvicorn.Config(
            with_token(app, token.value),
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=_LAST_WORDS_S,
        )
        shown = f"[{host}]" if ":" in host else host
        port = listener.getsockname()[1]
        print(f"agent-exec: listening on http://{shown}:{port}/mcp", file=sys.stderr)
        print(f"agent-exec: {token.told}", file=sys.stderr, flush=True)
        status = anyio.run(_serve, tool, _Server(config), listener)
    sys.exit(status)


class _Server(uvicorn.Server):
    """Leaves signals to us: calls have to end before connections are waited for."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(tool: ExecTool, server: uvicorn.Server, listener: socket.socket) -> int:
    """Returns the status to exit with."""
    came: list[int] = []

    async def end_when_signalled() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for signum in signals:
                came.append(signum)
                tool.close()
                server.handle_exit(signum, None)

    async with anyio.create_task_group() as group:
        group.start_soon(end_when_signalled)
        await server.serve(sockets=[listener])
        group.cancel_scope.cancel()
    return 128 + came[0] if came else 1


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidCall(
            f"{host}, port {port}: {error.strerror}; name another with --port, or 0 for a free one"
        ) from None
    with listener:
        # What is called localhost is for /etc/hosts to say.
        address = listener.getsockname()[0]
        if not ipaddress.ip_address(address).is_loopback:
            raise InvalidCall(f"{host} is {address} here, which can be reached from elsewhere")
        yield listener


def with_token(app: _App, token: str) -> _App:
    """`app` for requests that carry `token`; 401 for all others."""
    expected = token.encode()

    async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan" or _is_known(scope, expected):
            await app(scope, receive, send)
            return
        body = b"send the token: Authorization: Bearer TOKEN\n"
        headers = [
            (b"www-authenticate", b"Bearer"),
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return guarded


def _is_known(scope: _Scope, token: bytes) -> bool:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return False
    scheme, _, word = given[0].partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(word.strip(), token)
