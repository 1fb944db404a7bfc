"""LangChain's shell middleware over a tool, with a model that follows a script."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest
from anyio import to_thread
from framework_suite import LONG_TREE, with_tool, worktree
from mcp_wire import wait_for_tails

from agent_exec import Answer, ExecTool, Reply

pytest.importorskip("langchain")

from langchain.agents import create_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent_exec.integrations.langchain import (
    JudgedExecutionPolicy,
    approve,
    reject,
    shell_middleware,
)

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

CONFIG: Any = {"configurable": {"thread_id": "one"}}
GO_ON = {"messages": [HumanMessage("go on")]}


class Script(FakeMessagesListChatModel):
    """A model that says what it is told to."""

    def bind_tools(self, *_: Any, **__: Any) -> Self:
        return self


def agent(tool: ExecTool, *commands: str, seconds: float = 20.0, **options: Any) -> Any:
    """Its model sends `commands` to the shell, one after the other."""
    calls = [{"name": "shell", "args": {"command": each}} for each in commands]
    said = [AIMessage("", tool_calls=[{**call, "id": f"call-{n}"}]) for n, call in enumerate(calls)]
    interrupt = options.pop("interrupt", True)
    policy = JudgedExecutionPolicy(tool=tool, command_timeout=seconds, interrupt=interrupt)
    middleware = shell_middleware(tool, execution_policy=policy, **options)
    model = Script(responses=[*said, AIMessage("done")])
    return create_agent(model, middleware=[middleware], checkpointer=InMemorySaver())


def told(state: dict[str, Any]) -> list[str]:
    return [str(each.content) for each in state["messages"] if isinstance(each, ToolMessage)]


def ran(worktree: Path, *commands: str, **options: Any) -> list[str]:
    """What the model is given back."""
    its = ("seconds", "env", "interrupt")
    of_agent = {name: options.pop(name) for name in its if name in options}

    async def use(tool: ExecTool) -> list[str]:
        return told(await agent(tool, *commands, **of_agent).ainvoke(GO_ON, CONFIG))

    return with_tool(worktree, use, **{"policy": "open", **options})


@pytest.mark.parametrize(
    ("command", "options", "answer"),
    [
        pytest.param("cat a.txt | wc -l", {"policy": "strict"}, "1\n", id="text"),
        pytest.param("printf x", {}, "x", id="no-newline"),
        pytest.param("true", {}, "<no output>", id="nothing"),
        pytest.param("echo o\necho p", {}, "o\np\n", id="two-lines"),
        pytest.param("echo e >&2; exit 3", {}, "[stderr] e\n\nExit code: 3", id="fails"),
        pytest.param("echo $CI", {"env": {"CI": "yes"}}, "yes\n", id="env"),
    ],
)
def test_what_becomes_of_a_command(
    worktree: Path, command: str, options: dict[str, Any], answer: str
) -> None:
    assert [each.strip() for each in ran(worktree, command, **options)] == [answer.strip()]


def test_a_command_that_is_denied(worktree: Path) -> None:
    (said,) = ran(worktree, "rm a.txt", policy="read-only")
    assert said.startswith("[stderr] refused: ")
    assert said.endswith("Exit code: 126")
    assert (worktree / "a.txt").exists()


def test_a_command_that_takes_too_long_is_ended_and_later_ones_run(worktree: Path) -> None:
    first, second = ran(worktree, LONG_TREE["argv"][2], "cat a.txt", seconds=0.3, grace_s=0.0)
    assert "timed out after" in first
    assert second.strip() == "one"
    wait_for_tails(worktree, count=0)


def test_a_long_output_is_cut(worktree: Path) -> None:
    (said,) = ran(worktree, "seq 100000")
    assert "Output truncated at 100 lines" in said


def test_much_on_both_outputs_is_all_told(worktree: Path) -> None:
    (said,) = ran(worktree, "seq 40; seq 40 >&2")
    assert [line for line in said.splitlines() if "[stderr]" not in line] == [
        str(n) for n in range(1, 41)
    ]
    assert said.count("[stderr]") == 40


def test_the_end_of_a_command_is_told_after_all_that_it_has_said(worktree: Path) -> None:
    """The middleware takes the marker on one output for the end of both."""
    with ExecTool(worktree, audit=False, policy="open") as tool:
        policy = JudgedExecutionPolicy(tool=tool)
        shell: Any = policy.spawn(workspace=worktree, env={}, command=["bash"])

        def send() -> None:
            shell.stdin.write("seq 1000 >&2\n")
            shell.stdin.write("printf 'MARKER %s\\n' $?\n")

        sender = Thread(target=send)
        sender.start()
        lines = [shell.stderr.readline() for _ in range(1000)]
        assert lines[-1] == "1000\n"
        assert sender.is_alive()
        reader = Thread(target=shell.stderr.readline)
        reader.start()
        assert shell.stdout.readline() == "MARKER 0\n"
        shell.stdin.write("exit\n")
        shell.stdin.flush()
        assert (shell.wait(1.0), shell.poll()) == (0, 0)
        sender.join(20)
        reader.join(20)


def test_a_cd_that_stands_alone_is_kept(worktree: Path) -> None:
    (worktree / "a b").mkdir()
    said = ran(worktree, "cd 'a b'", "pwd", "cd nowhere", "cd / && pwd", "pwd")
    assert [each.strip() for each in said] == [
        "<no output>",
        f"{worktree}/a b",
        "[stderr] cd: nowhere: No such directory\n\nExit code: 1",
        "/",
        f"{worktree}/a b",
    ]


def test_a_cd_out_of_the_worktree_lets_nothing_run_there(worktree: Path) -> None:
    _, said = ran(worktree, "cd ..", "touch new", policy="default", interrupt=False)
    assert "refused" in said
    assert not (worktree.parent / "new").exists()


class TestShellMiddleware:
    """What the policy asks about interrupts the graph, which is resumed."""

    @pytest.mark.parametrize("answer", [approve, reject])
    def test_what_is_asked_about(self, worktree: Path, answer: Any) -> None:
        async def use(tool: ExecTool) -> list[str]:
            made = agent(tool, "touch new", "cat a.txt")
            state = await made.ainvoke(GO_ON, CONFIG)
            (waiting,) = state["__interrupt__"]
            assert "touch new" in waiting.value["description"]
            assert not (worktree / "new").exists()
            value = answer(json.loads(json.dumps(waiting.value)))
            return told(await made.ainvoke(Command(resume=value), CONFIG))

        first, second = with_tool(worktree, use)
        assert (worktree / "new").exists() is (answer is approve)
        assert first.strip() == "<no output>" if answer is approve else "refused" in first
        assert second.strip() == "one"

    @pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
    def test_the_approver_of_the_tool_is_asked(self, worktree: Path, reply: Reply) -> None:
        async def use(tool: ExecTool) -> list[str]:
            return told(await agent(tool, "touch new", interrupt=False).ainvoke(GO_ON, CONFIG))

        (said,) = with_tool(worktree, use, approver=lambda _question: Answer(reply))
        assert ("refused" in said) is (reply is Reply.NEVER)
        assert (worktree / "new").exists() is (reply is Reply.ONCE)


def test_a_command_of_a_run_that_is_cancelled_ends_when_its_time_is_up(worktree: Path) -> None:
    """LangChain runs the shell on a thread, which nothing can cancel."""

    async def use(tool: ExecTool) -> None:
        made = agent(tool, LONG_TREE["argv"][2], seconds=1.0)
        running = asyncio.ensure_future(made.ainvoke(GO_ON, CONFIG))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

    with_tool(worktree, use, policy="open", grace_s=0.0)


@pytest.mark.parametrize(
    ("workspace", "command", "said"),
    [("/", "/bin/bash", "it has to be in"), (".", "zsh", "as bash reads them")],
)
def test_there_is_no_other_shell_and_no_other_place(
    worktree: Path, workspace: str, command: str, said: str
) -> None:
    with ExecTool(worktree, audit=False) as tool:
        policy = JudgedExecutionPolicy(tool=tool)
        with pytest.raises(ValueError, match=said):
            policy.spawn(workspace=worktree / workspace, env={}, command=[command])
