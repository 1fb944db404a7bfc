"""Background sessions through the MCP server, with the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client
from mcp_wire import TOKEN, HttpServer, command
from realproc import PATIENCE_S, is_alive, wait_until

from agent_exec import ExecTool
from agent_exec.integrations.mcp.server import make_server

pytestmark = pytest.mark.filterwarnings("default")

TALKS = ["sh", "-c", "echo pid $$; while read x; do echo got $x; done"]
OPEN = ["--policy", "open"]


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    return folder


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def body(result: types.CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict), result.content
    return result.structured_content


async def pid_of(client: Client) -> tuple[str, int]:
    begun = body(await client.call_tool("exec", {"argv": TALKS, "background": True}))
    assert begun["ended"] == "running"
    handle = begun["session"]["handle"]
    return handle, int((await until(client, handle, "\n")).split()[1])


async def until(client: Client, handle: str, text: str) -> str:
    with anyio.fail_after(PATIENCE_S):
        while True:
            given = {"session": handle, "offset": 0, "wait_ms": 200}
            found = str(body(await client.call_tool("exec_read", given))["stdout"]["head"])
            if text in found:
                return found


async def use(client: Client) -> int:
    handle, pid = await pid_of(client)
    wrote = await client.call_tool("exec_write", {"session": handle, "text": "a\n"})
    assert wrote.is_error is False
    assert "got a\n" in await until(client, handle, "got a\n")
    listed = await client.call_tool("exec_read", {})
    assert handle in body(listed)["stdout"]["head"]
    assert is_alive(pid)
    stopped = await client.call_tool("exec_stop", {"session": handle})
    assert body(stopped)["session"]["running"] is False
    assert not is_alive(pid)
    wrong = await client.call_tool("exec_write", {"session": handle, "text": "a\n"})
    assert wrong.is_error is True
    _, pid = await pid_of(client)
    return pid


def test_in_memory(worktree: Path, mode: str) -> None:
    async def main() -> int:
        async with (
            ExecTool(worktree, policy="open") as tool,
            Client(make_server(tool), mode=mode) as client,
        ):
            return await use(client)

    pid = anyio.run(main)
    wait_until(lambda: not is_alive(pid))


def test_over_stdio_they_end_with_the_client(worktree: Path) -> None:
    program, *words = command(worktree, *OPEN)

    async def main() -> int:
        parameters = StdioServerParameters(command=program, args=words)
        async with Client(parameters) as client:
            return await use(client)

    pid = anyio.run(main)
    wait_until(lambda: not is_alive(pid))


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with HttpServer(tmp_path_factory.mktemp("worktree"), *OPEN) as server:
        yield server.url


async def with_client(url: str, mode: str, use: Any) -> Any:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=50) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        return await use(client)


def test_over_http(http: str, mode: str) -> None:
    anyio.run(with_client, http, mode, use)


def test_over_http_a_client_has_only_its_own_and_they_end_with_it(http: str) -> None:
    async def main() -> int:
        async def first(client: Client) -> int:
            handle, pid = await pid_of(client)

            async def second(other: Client) -> None:
                refused = await other.call_tool("exec_read", {"session": handle})
                assert refused.is_error is True
                assert body(refused)["ended"] == "refused"

            await with_client(http, "legacy", second)
            assert is_alive(pid)
            return pid

        return int(await with_client(http, "legacy", first))

    pid = anyio.run(main)
    wait_until(lambda: not is_alive(pid))
