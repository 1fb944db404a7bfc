"""The MCP server, with the real client: in memory, over stdio, over HTTP; both protocols."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

from agent_exec import ExecTool
from agent_exec.integrations.mcp.server import make_server

pytestmark = pytest.mark.filterwarnings("default")

MODES = ["auto", "legacy"]
TOKEN = "a-token-for-the-test"


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def words(worktree: Path, *more: str) -> list[str]:
    return ["-m", "agent_exec", "mcp", "-w", str(worktree), *more]


@pytest.fixture
def http(worktree: Path) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, *words(worktree, "--http", "--port", str(port))],
        env={**os.environ, "AGENT_EXEC_MCP_TOKEN": TOKEN},
        stderr=subprocess.PIPE,
    )
    assert server.stderr is not None
    try:
        assert b"listening" in server.stderr.readline()
        url = f"http://127.0.0.1:{port}/mcp"
        for _ in range(500):
            try:
                urllib.request.urlopen(url)
            except urllib.error.HTTPError:
                break
            except OSError:
                select_a_moment()
        yield url
    finally:
        server.terminate()
        assert server.wait(30) in (0, -signal.SIGTERM)
        server.stderr.close()


def select_a_moment() -> None:
    """Between two tries to connect to a server that is about to listen."""
    import select

    select.select([], [], [], 0.02)


@asynccontextmanager
async def connected(how: str, worktree: Path, mode: str, **options: Any) -> AsyncIterator[Client]:
    if how == "memory":
        async with (
            ExecTool(worktree) as tool,
            Client(make_server(tool, heartbeat_s=0.05), mode=mode, **options) as client,
        ):
            yield client
    elif how == "stdio":
        parameters = StdioServerParameters(command=sys.executable, args=words(worktree))
        async with Client(parameters, mode=mode, **options) as client:
            yield client
    else:
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=50) as http,
            Client(streamable_http_client(how, http_client=http), mode=mode, **options) as client,
        ):
            yield client


def talk(how: str, worktree: Path, mode: str, use: Callable[[Client], Any], **options: Any) -> Any:
    async def main() -> Any:
        async with connected(how, worktree, mode, **options) as client:
            return await use(client)

    return anyio.run(main)


def text(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def answers(action: str, **content: Any) -> tuple[list[str], Any]:
    asked: list[str] = []

    async def elicited(_context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action=action, content=content or None)  # type: ignore[arg-type]

    return asked, elicited


def call(arguments: dict[str, Any], name: str = "exec") -> Callable[[Client], Any]:
    async def use(client: Client) -> Any:
        return await client.call_tool(name, arguments)

    return use


@pytest.mark.parametrize("how", ["memory", "stdio"])
def test_the_tools_are_those_of_the_definition(how: str, worktree: Path, mode: str) -> None:
    async def use(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = talk(how, worktree, mode, use)
    with ExecTool(worktree) as tool:
        shown = tool.definition("mcp")
    assert [each.name for each in tools] == [each["name"] for each in shown]
    assert [each.input_schema for each in tools] == [each["inputSchema"] for each in shown]
    assert tools[0].annotations.destructive_hint is True


@pytest.mark.parametrize("how", ["memory", "stdio"])
def test_a_call_that_is_allowed(how: str, worktree: Path, mode: str) -> None:
    result = talk(how, worktree, mode, call({"argv": ["cat", "a.txt"]}))
    assert result.is_error is False
    assert text(result).endswith("stdout:\none")
    assert result.structured_content["stdout"]["head"] == "one\n"
    assert result.structured_content["status"] == 0


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({}, "send argv"),
        ({"argv": "cat a.txt"}, 'send {"argv": ["cat", "a.txt"]}'),
        ({"argv": ["cat"], "command": "ls"}, "argv and command were sent"),
        ({"argv": ["no-such-program"]}, "no such program"),
        ({"argv": ["cat"], "colour": "red"}, "there is no field"),
    ],
)
def test_a_mistake_is_an_answer(worktree: Path, arguments: dict[str, Any], answer: str) -> None:
    result = talk("memory", worktree, "auto", call(arguments))
    assert result.is_error is True
    assert answer in text(result)


def test_another_tool_is_an_answer_too(worktree: Path) -> None:
    result = talk("memory", worktree, "auto", call({}, name="bash"))
    assert (result.is_error, text(result).split(";")[0]) == (True, "there is no tool 'bash'")


@pytest.mark.parametrize("how", ["memory", "stdio"])
def test_a_question_that_is_answered_with_yes(how: str, worktree: Path, mode: str) -> None:
    asked, elicited = answers("accept", answer="once")
    arguments = {"argv": ["rm", "a.txt"], "justification": "it is old"}
    result = talk(how, worktree, mode, call(arguments), elicitation_callback=elicited)
    assert (result.is_error, result.structured_content["status"]) == (False, 0)
    assert not (worktree / "a.txt").exists()
    (message,) = asked
    assert "rm a.txt\n  delete a.txt\nbecause rm deletes a.txt" in message
    assert "the model says: it is old" in message
    assert "'always' would cover" in message


@pytest.mark.parametrize(
    ("action", "content", "answer"),
    [
        ("decline", {}, "the person chose to decline"),
        ("cancel", {}, "the person chose to cancel"),
        ("accept", {"answer": "no", "message": "use git rm"}, "use git rm"),
        ("accept", {"answer": "maybe"}, "a person said no"),
        ("accept", {}, "a person said no"),
    ],
)
def test_a_question_that_is_answered_with_no(
    worktree: Path, mode: str, action: str, content: dict[str, str], answer: str
) -> None:
    _, elicited = answers(action, **content)
    use = call({"argv": ["rm", "a.txt"]})
    result = talk("memory", worktree, mode, use, elicitation_callback=elicited)
    assert result.is_error is True
    assert answer in text(result)
    assert (worktree / "a.txt").exists()


def test_always_is_remembered(worktree: Path, mode: str) -> None:
    asked, elicited = answers("accept", answer="always")
    use = call({"argv": ["touch", f"c-{mode}"]})
    for _ in range(2):
        result = talk("memory", worktree, mode, use, elicitation_callback=elicited)
        assert result.is_error is False
    assert len(asked) == 1


def test_where_nobody_can_be_asked_it_is_refused(worktree: Path, mode: str) -> None:
    result = talk("memory", worktree, mode, call({"argv": ["rm", "a.txt"]}))
    assert result.is_error is True
    assert "nobody is there: rm deletes a.txt" in text(result)
    assert (worktree / "a.txt").exists()


def test_what_changes_before_the_answer_does_not_run(worktree: Path, mode: str) -> None:
    script = worktree / "run.sh"
    script.write_text("#!/bin/sh\necho one\n")
    script.chmod(0o755)
    asked = []

    async def elicited(_context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params.message)
        with script.open("a") as file:
            file.write("# changed\n")
        return types.ElicitResult(action="accept", content={"answer": "once"})

    use = call({"argv": ["./run.sh"]})
    result = talk("memory", worktree, mode, use, elicitation_callback=elicited)
    assert result.is_error is True
    assert "change" in text(result)


def test_a_client_cannot_make_up_that_somebody_was_asked(worktree: Path) -> None:
    async def use(client: Client) -> Any:
        response = types.ElicitResult(action="accept", content={"answer": "once"})
        params = types.CallToolRequestParams(
            name="exec",
            arguments={"argv": ["rm", "a.txt"]},
            input_responses={"approval": response},
            request_state=json.dumps({"seal": "0" * 64}),
        )
        with pytest.raises(MCPError) as caught:
            await client.session.send_request(
                types.CallToolRequest(params=params), types.CallToolResult
            )
        return str(caught.value)

    _, elicited = answers("decline")
    refused = talk("memory", worktree, "auto", use, elicitation_callback=elicited)
    assert "requestState" in refused
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize("how", ["memory", "stdio"])
def test_a_call_that_is_cancelled_is_gone(how: str, worktree: Path, mode: str) -> None:
    async def use(client: Client) -> int:
        pid = 0
        async with anyio.create_task_group() as group:
            arguments = {"argv": ["tail", "-f", "a.txt"]}
            group.start_soon(client.call_tool, "exec", arguments)
            while not pid:
                pid = next(tails_of(worktree), 0)
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        with anyio.fail_after(30):
            while any(tails_of(worktree)):  # noqa: ASYNC110 - another process
                await anyio.sleep(0.01)
        # The connection is still good.
        assert not (await client.call_tool("exec", {"argv": ["cat", "a.txt"]})).is_error
        return pid

    assert talk(how, worktree, mode, use) > 0


def tails_of(worktree: Path) -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path("/proc", entry, "cmdline").read_bytes()
                if command.startswith(b"tail\0-f\0") and os.readlink(f"/proc/{entry}/cwd") == str(
                    worktree
                ):
                    yield int(entry)
            except OSError:
                continue


def test_a_long_call_shows_that_it_is_alive(worktree: Path, mode: str) -> None:
    async def use(client: Client) -> list[float]:
        seen: list[float] = []
        enough = anyio.Event()

        async def progress(progress: float, total: float | None, message: str | None) -> None:
            seen.append(progress)
            if len(seen) == 3:
                enough.set()

        async with anyio.create_task_group() as group:

            async def long() -> None:
                arguments = {"argv": ["tail", "-f", "a.txt"]}
                await client.call_tool("exec", arguments, progress_callback=progress)

            group.start_soon(long)
            with anyio.fail_after(30):
                await enough.wait()
            group.cancel_scope.cancel()
        return seen

    seen = talk("memory", worktree, mode, use)
    assert seen == sorted(seen)


def test_many_calls_at_once_are_not_mixed_up(worktree: Path, mode: str) -> None:
    async def use(client: Client) -> dict[int, str]:
        seen: dict[int, str] = {}

        async def one(number: int) -> None:
            result = await client.call_tool("exec", {"argv": ["printf", str(number)]})
            seen[number] = result.structured_content["stdout"]["head"]

        async with anyio.create_task_group() as group:
            for number in range(16):
                group.start_soon(one, number)
        return seen

    seen = talk("stdio", worktree, mode, use)
    assert seen == {number: str(number) for number in range(16)}


def test_http(http: str, worktree: Path) -> None:
    result = talk(http, worktree, "auto", call({"argv": ["cat", "a.txt"]}))
    assert text(result).endswith("stdout:\none")
    asked, elicited = answers("accept", answer="once")
    use = call({"argv": ["rm", "a.txt"]})
    result = talk(http, worktree, "auto", use, elicitation_callback=elicited)
    assert (result.is_error, len(asked)) == (False, 1)


FROM_ELSEWHERE: list[tuple[dict[str, str], int]] = [
    ({}, 401),
    ({"Authorization": "Bearer another"}, 401),
    ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, 421),
    ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, 403),
]


def test_http_from_elsewhere_is_refused(http: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    accepts = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    for headers, status in FROM_ELSEWHERE:
        request = urllib.request.Request(http, body, {**accepts, **headers})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        with caught.value as answer:
            assert (headers, answer.code) == (headers, status)


def test_http_is_only_served_on_this_machine(worktree: Path) -> None:
    done = subprocess.run(
        [sys.executable, *words(worktree, "--http", "--host", "0.0.0.0")],
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"can be reached from elsewhere" in done.stderr


@pytest.mark.parametrize("how", ["kill", "terminate", "end of input"])
def test_nothing_is_left_when_the_server_ends(worktree: Path, how: str) -> None:
    server = subprocess.Popen(
        [sys.executable, *words(worktree)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server.stdin, server.stdout:
        for message in (
            {
                "id": 0,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                },
            },
            {"method": "notifications/initialized"},
            {
                "id": 1,
                "method": "tools/call",
                "params": {"name": "exec", "arguments": {"argv": ["tail", "-f", "a.txt"]}},
            },
        ):
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            server.stdin.flush()
        while not any(tails_of(worktree)):
            assert server.poll() is None
            select_a_moment()
        if how == "end of input":
            server.stdin.close()
        else:
            getattr(server, how)()
        server.wait(30)
    while any(tails_of(worktree)):
        select_a_moment()
