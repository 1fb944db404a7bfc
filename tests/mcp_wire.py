"""``agent-exec mcp`` as a program that speaks bytes: over its pipes, or over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 30.0
TOKEN = "a-token-for-the-test"
LONG = {"argv": ["tail", "-f", "a.txt"]}
"""The arguments of a call that goes on until it is ended; see `tails_of`."""
HELLO = {
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "wire", "version": "1"},
    },
}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def words(worktree: Path, *more: str) -> list[str]:
    """What the server is started by, but for the program."""
    return ["mcp", "-w", str(worktree), *more]


def command(worktree: Path, *more: str) -> list[str]:
    """What starts the server."""
    return [sys.executable, "-P", "-m", "agent_exec", *words(worktree, *more)]


_LIVELY = """
from agent_exec.cli import main
from agent_exec.integrations.mcp import server
server.make_server.__kwdefaults__["heartbeat_s"] = 0.05
main()
"""


def lively(worktree: Path, *more: str) -> list[str]:
    """The same server, whose calls tell that they go on more often than a test would wait."""
    return [sys.executable, "-P", "-c", _LIVELY, *words(worktree, *more)]


def call(id_: int, arguments: object) -> dict[str, Any]:
    """The request that calls `exec`."""
    params = {"name": "exec", "arguments": arguments}
    return {"id": id_, "method": "tools/call", "params": params}


def message(fields: Mapping[str, Any]) -> bytes:
    """JSON-RPC in one line."""
    return json.dumps({"jsonrpc": "2.0", **fields}).encode()


def text_of(answer: Mapping[str, Any]) -> str:
    """What a model reads."""
    (content,) = answer["result"]["content"]
    return str(content["text"])


def tails_of(worktree: Path) -> list[int]:
    """The pids of the calls `LONG` that run."""
    return list(_tails(str(worktree)))


def _tails(worktree: str) -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            words = Path("/proc", entry, "cmdline").read_bytes()
            if words.startswith(b"tail\0-f\0") and os.readlink(f"/proc/{entry}/cwd") == worktree:
                yield int(entry)
        except OSError:
            continue


def wait_for_tails(worktree: Path, *, count: int) -> None:
    """Until so many of `LONG` run."""
    deadline = time.monotonic() + PATIENCE_S
    while len(tails_of(worktree)) != count:
        assert time.monotonic() < deadline, f"not {count} but {tails_of(worktree)}"
        select.select([], [], [], 0.01)


class StdioServer:
    """Over its pipes, after the handshake of 2025."""

    def __init__(self, worktree: Path, capabilities: Mapping[str, Any] | None = None) -> None:
        self.process = subprocess.Popen(
            command(worktree), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self._rest = b""
        params = {**HELLO["params"], "capabilities": capabilities or {}}  # type: ignore[dict-item]
        self.send({**HELLO, "params": params})
        assert self.receive()["id"] == 0
        self.send({"method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stdin.close()
        finally:
            self.stdout.close()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self.stdin.write(data)
        self.stdin.flush()

    def send(self, fields: Mapping[str, Any]) -> None:
        """A message."""
        self.write(message(fields) + b"\n")

    def receive(self) -> dict[str, Any]:
        """The next message."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.stdout], [], [], PATIENCE_S)
            assert ready, "no answer"
            data = os.read(self.stdout.fileno(), 1 << 20)
            assert data, "the server has ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message, and receive one."""
        self.send(fields)
        return self.receive()


class HttpServer:
    """Over HTTP, at a port of its own choice."""

    def __init__(
        self,
        worktree: Path,
        *more: str,
        start: Callable[..., list[str]] = command,
        **environment: str,
    ) -> None:
        self.process = subprocess.Popen(
            start(worktree, "--http", "--port", "0", *more),
            env={**os.environ, "AGENT_EXEC_MCP_TOKEN": TOKEN, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.stderr = self.process.stderr
        self.url = self.stderr.readline().strip().partition("listening on ")[2]
        assert self.url, self.stderr.read()
        self.told = self.stderr.readline().strip()
        host, _, port = self.url.removeprefix("http://").removesuffix("/mcp").rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.process.poll() is None:
                self.process.terminate()
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.stderr.close()

    def open(
        self, fields: Mapping[str, Any] | None, method: str = "POST", **headers: str
    ) -> http.client.HTTPConnection:
        """Send a request; the caller reads the response, and closes.

        Args:
            fields: Of the message; None for no body.
            method: Of HTTP.
            headers: More of them, or others; ``_`` stands for ``-``, and "" for none.
        """
        known = {
            "authorization": f"Bearer {TOKEN}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        known |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
        body = None if fields is None else message(fields)
        sent = {name: value for name, value in known.items() if value}
        connection.request(method, "/mcp", body, sent)
        return connection

    def post(self, fields: Mapping[str, Any], **headers: str) -> tuple[int, str]:
        """Send a message; the status and the body of the answer."""
        status, body, _ = self.exchange(fields, **headers)
        return status, body

    def exchange(
        self, fields: Mapping[str, Any] | None, method: str = "POST", **headers: str
    ) -> tuple[int, str, Message]:
        """The status, the body and the headers of an answer that ends."""
        connection = self.open(fields, method, **headers)
        try:
            with connection.getresponse() as response:
                return response.status, response.read().decode(), response.headers
        finally:
            connection.close()

    def session(self) -> str:
        """The id of a session, after the handshake of 2025."""
        id_ = self.exchange(HELLO)[2]["mcp-session-id"]
        assert id_ is not None
        self.post({"method": "notifications/initialized"}, mcp_session_id=id_)
        return id_

    def modern(self, id_: int, arguments: object) -> http.client.HTTPConnection:
        """A call by the protocol of 2026, which has no sessions."""
        fields = call(id_, arguments)
        fields["params"]["_meta"] = MODERN
        return self.open(
            fields, mcp_protocol_version="2026-07-28", mcp_method="tools/call", mcp_name="exec"
        )
