"""The back end under the real deepagents, with a model that follows a script."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from anyio import to_thread
from framework_suite import (
    LONG_TREE,
    ApproverSuite,
    Arguments,
    BackgroundSuite,
    with_tool,
    worktree,
)
from mcp_wire import wait_for_tails

from agent_exec import ExecTool

pytest.importorskip("deepagents")

from deepagents import create_deep_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent_exec.integrations.deepagents import ExecSandbox
from agent_exec.integrations.langchain import approve, exec_tools, reject

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

CONFIG: Any = {"configurable": {"thread_id": "one"}}


class Script(FakeMessagesListChatModel):
    """A model that says what it is told to."""

    def bind_tools(self, *_: Any, **__: Any) -> Self:
        return self


def agent(tool: ExecTool, name: str, arguments: Mapping[str, Any], **options: Any) -> Any:
    call = {"name": name, "args": dict(arguments), "id": "call-0"}
    model = Script(responses=[AIMessage("", tool_calls=[call]), AIMessage("done")])
    backend = ExecSandbox(tool, interrupt=options.pop("interrupt", True))
    return create_deep_agent(model, backend=backend, checkpointer=InMemorySaver(), **options)


def told(state: dict[str, Any]) -> str:
    (message,) = [each for each in state["messages"] if isinstance(each, ToolMessage)]
    return str(message.content)


async def run(tool: ExecTool, name: str, arguments: dict[str, Any], answer: Any = None) -> Any:
    made = agent(tool, name, arguments)
    state = await made.ainvoke({"messages": [HumanMessage("go on")]}, CONFIG)
    while waiting := state.get("__interrupt__"):
        assert answer is not None
        state = await made.ainvoke(Command(resume=answer(waiting[0].value)), CONFIG)
    return told(state)


GO_ON = {"messages": [HumanMessage("go on")]}


class TestDeepAgents(ApproverSuite, BackgroundSuite):
    """With the tools of LangChain beside its own."""

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        command = {"command": shlex.join(arguments["argv"])}
        return await agent(tool, "execute", command, interrupt=False).ainvoke(GO_ON, CONFIG)

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return tool, exec_tools(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        tool, tools = adapter
        return told(await agent(tool, name, arguments, tools=tools).ainvoke(GO_ON, CONFIG))


def test_a_run_that_is_cancelled_leaves_no_process(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        made = agent(tool, "execute", {"command": LONG_TREE["argv"][2]})
        running = asyncio.ensure_future(made.ainvoke(GO_ON, CONFIG))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

    with_tool(worktree, use, policy="open", grace_s=0.0)


def test_execute_runs_a_text_without_a_shell(worktree: Path) -> None:
    arguments = {"command": "cat a.txt | wc -l"}
    said = with_tool(worktree, lambda tool: run(tool, "execute", arguments), policy="strict")
    assert said.startswith("1")


@pytest.mark.parametrize("answer", [approve, reject])
def test_what_the_policy_asks_about_interrupts_the_agent(worktree: Path, answer: Any) -> None:
    arguments = {"command": "touch new"}
    said = with_tool(worktree, lambda tool: run(tool, "execute", arguments, answer))
    assert (worktree / "new").exists() is (answer is approve)
    assert ("refused" in said) is (answer is reject)


def test_what_is_denied(worktree: Path) -> None:
    arguments = {"command": "rm a.txt"}
    said = with_tool(worktree, lambda tool: run(tool, "execute", arguments), policy="read-only")
    assert "refused: " in said
    assert "126" in said
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        pytest.param("ls", {"path": "WORKTREE"}, "a.txt", id="ls"),
        pytest.param("read_file", {"file_path": "WORKTREE/a.txt"}, "one", id="read"),
        pytest.param("grep", {"pattern": "one", "path": "WORKTREE"}, "a.txt", id="grep"),
        pytest.param("glob", {"pattern": "*.txt", "path": "WORKTREE"}, "a.txt", id="glob"),
        pytest.param(
            "write_file", {"file_path": "WORKTREE/b.txt", "content": "two"}, "b.txt", id="write"
        ),
        pytest.param(
            "edit_file",
            {"file_path": "WORKTREE/a.txt", "old_string": "one", "new_string": "two"},
            "a.txt",
            id="edit",
        ),
    ],
)
def test_the_file_tools_work_in_the_worktree(
    worktree: Path, name: str, arguments: dict[str, Any], said: str
) -> None:
    arguments = {
        key: str(value).replace("WORKTREE", str(worktree)) for key, value in arguments.items()
    }
    got = with_tool(worktree, lambda tool: run(tool, name, arguments), policy="open")
    assert said in got
    if name in ("write_file", "edit_file"):
        assert Path(arguments["file_path"]).read_text().strip() == "two"


def test_files_come_and_go_through_no_link(worktree: Path) -> None:
    (worktree / "link").symlink_to("/etc/passwd")
    (worktree / "sub").mkdir()
    with ExecTool(worktree, audit=False) as tool:
        sandbox = ExecSandbox(tool)
        sent = sandbox.upload_files([("x/new.txt", b"new"), ("link", b""), ("sub", b"")])
        assert [each.error for each in sent] == [None, "permission_denied", "is_directory"]
        got = sandbox.download_files(["x/new.txt", "/etc/passwd", "missing", "sub"])
    assert (got[0].content, got[0].error) == (b"new", None)
    errors = ["permission_denied", "file_not_found", "is_directory"]
    assert [each.error for each in got[1:]] == errors


def test_a_command_that_takes_too_long_and_one_that_says_much(worktree: Path) -> None:
    (worktree / "long.txt").write_text("x" * 100_000)

    async def use(tool: ExecTool) -> Any:
        sandbox = ExecSandbox(tool)
        return (
            await sandbox.aexecute("tail -f a.txt", timeout=1),
            await sandbox.aexecute("cat long.txt"),
        )

    slow, long = with_tool(worktree, use, grace_s=0.0, output_bytes=1000)
    assert slow.exit_code == 124
    assert slow.output.startswith("timed out")
    assert (long.exit_code, long.truncated, len(long.output)) == (0, True, 1000)
