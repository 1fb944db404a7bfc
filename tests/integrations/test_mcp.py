"""The MCP server, with the real client: in memory, over stdio, over HTTP; both protocols."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client
from mcp_wire import LONG, TOKEN, HttpServer, lively, wait_for_tails

from agent_exec import ExecTool
from agent_exec.integrations.mcp.server import make_server

pytestmark = pytest.mark.filterwarnings("default")

MODES = ["auto", "legacy"]


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Served:
    worktree: Path
    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server over HTTP, for whoever leaves its worktree as they want it."""
    worktree = tmp_path_factory.mktemp("served")
    with HttpServer(worktree, start=lively) as server:
        yield Served(worktree, server.url)


@asynccontextmanager
async def connected(how: str, worktree: Path, mode: str, **options: Any) -> AsyncIterator[Client]:
    if how == "memory":
        async with (
            ExecTool(worktree) as tool,
            Client(make_server(tool, heartbeat_s=0.05), mode=mode, **options) as client,
        ):
            yield client
    elif how == "stdio":
        program, *words = lively(worktree)
        parameters = StdioServerParameters(command=program, args=words)
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


def test_the_tools_are_those_of_the_definition(worktree: Path, mode: str) -> None:
    async def use(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = talk("memory", worktree, mode, use)
    with ExecTool(worktree) as tool:
        shown = tool.definition("mcp")
    assert [each.name for each in tools] == [each["name"] for each in shown]
    assert [each.input_schema for each in tools] == [each["inputSchema"] for each in shown]
    assert tools[0].annotations.destructive_hint is True


def test_a_call_that_is_allowed(worktree: Path, mode: str) -> None:
    result = talk("memory", worktree, mode, call({"argv": ["cat", "a.txt"]}))
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


def test_a_question_that_is_answered_with_yes(worktree: Path, mode: str) -> None:
    asked, elicited = answers("accept", answer="once")
    arguments = {"argv": ["rm", "a.txt"], "justification": "it is old"}
    result = talk("memory", worktree, mode, call(arguments), elicitation_callback=elicited)
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


def test_a_call_that_is_cancelled_is_gone(worktree: Path, mode: str) -> None:
    async def use(client: Client) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "exec", LONG)
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=1))
            group.cancel_scope.cancel()
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))
        # The connection is still good.
        assert not (await client.call_tool("exec", {"argv": ["cat", "a.txt"]})).is_error

    talk("memory", worktree, mode, use)


async def signs_of_life(client: Client) -> list[float]:
    """What a long call tells, which is cancelled then."""
    seen: list[float] = []
    enough = anyio.Event()

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)
        if len(seen) == 3:
            enough.set()

    async with anyio.create_task_group() as group:

        async def long() -> None:
            await client.call_tool("exec", LONG, progress_callback=progress)

        group.start_soon(long)
        with anyio.fail_after(30):
            await enough.wait()
        group.cancel_scope.cancel()
    return seen


def test_a_long_call_shows_that_it_is_alive(worktree: Path, mode: str) -> None:
    seen = talk("memory", worktree, mode, signs_of_life)
    assert seen == sorted(seen)


async def numbers(client: Client) -> dict[int, str]:
    """What sixteen calls at once have written."""
    seen: dict[int, str] = {}

    async def one(number: int) -> None:
        result = await client.call_tool("exec", {"argv": ["printf", str(number)]})
        assert isinstance(result.structured_content, dict)
        seen[number] = result.structured_content["stdout"]["head"]

    async with anyio.create_task_group() as group:
        for number in range(16):
            group.start_soon(one, number)
    return seen


def test_many_calls_at_once_are_not_mixed_up(worktree: Path, mode: str) -> None:
    seen = talk("memory", worktree, mode, numbers)
    assert seen == {number: str(number) for number in range(16)}


@pytest.mark.parametrize("how", ["stdio", "http"])
def test_a_whole_session_of_a_real_server(how: str, served: Served, mode: str) -> None:
    """What the tests above see in memory, of one server that is a process."""
    asked, elicited = answers("accept", answer="once")
    worktree = served.worktree
    (worktree / "a.txt").write_text("one\n")

    async def use(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert tools[0].name == "exec"
        result = await client.call_tool("exec", {"argv": ["cat", "a.txt"]})
        assert text(result).endswith("stdout:\none")
        result = await client.call_tool("exec", {"argv": ["rm", "a.txt"]})
        assert (result.is_error, len(asked)) == (False, 1)
        assert not (worktree / "a.txt").exists()
        result = await client.call_tool("exec", {"argv": "cat a.txt"})
        assert (result.is_error, 'send {"argv"' in text(result)) == (True, True)
        assert await numbers(client) == {number: str(number) for number in range(16)}
        (worktree / "a.txt").write_text("again\n")
        seen = await signs_of_life(client)
        assert seen == sorted(seen)
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))
        assert not (await client.call_tool("exec", {"argv": ["cat", "a.txt"]})).is_error

    place = served.url if how == "http" else how
    talk(place, worktree, mode, use, elicitation_callback=elicited)


def test_an_answer_counts_once(worktree: Path) -> None:
    """Whoever gets hold of a message that said yes cannot send it again."""
    (worktree / "b.txt").write_text("")

    async def use(client: Client) -> list[bool]:
        arguments = {"argv": ["tee", "-a", "b.txt"], "stdin": "x"}
        first = await client.session.call_tool("exec", arguments, allow_input_required=True)
        assert isinstance(first, types.InputRequiredResult)
        yes = types.ElicitResult(action="accept", content={"answer": "once"})
        errors = []
        for _ in range(2):
            result = await client.session.call_tool(
                "exec",
                arguments,
                input_responses={"approval": yes},
                request_state=first.request_state,
            )
            errors.append(result.is_error)
        return errors

    _, elicited = answers("decline")
    errors = talk("memory", worktree, "auto", use, elicitation_callback=elicited)
    assert errors == [False, True]
    assert (worktree / "b.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("arguments", "responses"),
    [
        pytest.param({"argv": ["rm", "-r", "."]}, "yes", id="another-call"),
        pytest.param({"argv": ["rm", "a.txt"]}, "none", id="no-answer"),
    ],
)
def test_an_answer_is_to_what_was_asked(
    worktree: Path, arguments: dict[str, Any], responses: str
) -> None:
    async def use(client: Client) -> str:
        asked = {"argv": ["rm", "a.txt"]}
        first = await client.session.call_tool("exec", asked, allow_input_required=True)
        assert isinstance(first, types.InputRequiredResult)
        yes = types.ElicitResult(action="accept", content={"answer": "once"})
        try:
            result = await client.session.call_tool(
                "exec",
                arguments,
                input_responses={"approval": yes} if responses == "yes" else {},
                request_state=first.request_state,
            )
        except MCPError as error:
            return str(error)
        assert result.is_error
        return text(result)

    _, elicited = answers("decline")
    said = talk("memory", worktree, "auto", use, elicitation_callback=elicited)
    assert "requestState" in said or "sent no answer" in said
    assert (worktree / "a.txt").exists()


def test_what_a_rule_denies_is_refused_and_nobody_is_asked(worktree: Path, mode: str) -> None:
    asked, elicited = answers("accept", answer="once")

    async def main() -> types.CallToolResult:
        async with (
            ExecTool(worktree, policy="read-only") as tool,
            Client(make_server(tool), mode=mode, elicitation_callback=elicited) as client,
        ):
            return await client.call_tool("exec", {"argv": ["rm", "a.txt"]})

    result = anyio.run(main)
    assert (result.is_error, asked) == (True, [])
    assert "refused" in text(result)
    assert (worktree / "a.txt").exists()


def test_the_log_says_which_client_asked(worktree: Path, mode: str, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    info = types.Implementation(name="a host\x1b[2J" + "x" * 99, version="1")

    async def main() -> None:
        async with ExecTool(worktree, audit=folder) as tool:
            server = make_server(tool)
            async with Client(server, mode=mode, client_info=info) as client:
                await client.call_tool("exec", {"argv": ["cat", "a.txt"]})

    anyio.run(main)
    (file,) = [Path(folder, name) for name in os.listdir(folder) if name.endswith(".jsonl")]
    (record,) = [json.loads(line) for line in file.read_text().splitlines() if line]
    assert record["asked_by"] == "mcp:" + ("a host?[2J" + "x" * 99)[:64]


def test_a_server_whose_tool_was_closed_says_so(worktree: Path, mode: str) -> None:
    async def main() -> types.CallToolResult:
        tool = ExecTool(worktree)
        async with Client(make_server(tool), mode=mode) as client:
            tool.close()
            return await client.call_tool("exec", {"argv": ["cat", "a.txt"]})

    result = anyio.run(main)
    assert (result.is_error, text(result)) == (True, "the server is ending and runs nothing more")
