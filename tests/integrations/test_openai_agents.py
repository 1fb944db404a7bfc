"""The tools under the real OpenAI Agents SDK, with its own scripted model."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from framework_suite import (
    LONG_TREE,
    ApproverSuite,
    Arguments,
    Asked,
    AskingSuite,
    BackgroundSuite,
    CancellingSuite,
    with_tool,
    worktree,
)
from mcp_wire import wait_for_tails

from agent_exec import Answer, ExecTool, Reply

pytest.importorskip("agents")

from agents import Agent, RunConfig, Runner, RunResult, RunState
from agents.testing import ScriptedModel, assistant_message, function_call
from openai.types.responses import ResponseFunctionShellToolCall

from agent_exec.integrations.openai_agents import ExecTools

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

QUIET = RunConfig(tracing_disabled=True)


def agent(execs: ExecTools, *steps: Any) -> Agent[Any]:
    """Its model takes `steps`, and then says that it is done."""
    model = ScriptedModel([*steps, [assistant_message("done")]])
    return Agent("coder", model=model, tools=[*execs.functions, execs.shell()])


def called(arguments: Arguments, name: str = "exec") -> list[Any]:
    return [function_call(name, dict(arguments), call_id="call-0")]


def shell_call(*commands: str, **action: Any) -> list[Any]:
    return [
        ResponseFunctionShellToolCall.model_validate(
            {
                "id": "shell-0",
                "call_id": "call-0",
                "type": "shell_call",
                "status": "completed",
                "action": {"commands": list(commands), **action},
            }
        )
    ]


def outcome(execs: ExecTools, result: RunResult) -> str | Asked:
    if not result.interruptions:
        outputs = [item for item in result.new_items if item.type == "tool_call_output_item"]
        return str(outputs[-1].output)
    context = result.context_wrapper.context
    asked = [execs.questions(item, context) for item in result.interruptions]
    texts = [each["text"] for questions in asked for each in questions]
    return Asked("\n".join(texts), json.dumps(result.to_state().to_json()))


async def resumed(
    tool: ExecTool, asked: Asked, *, approved: bool, answer: Answer | None = None
) -> str | Asked:
    execs = ExecTools(tool)
    made = agent(execs)
    state: Any = await RunState.from_json(made, json.loads(asked.state))
    if answer is not None:
        (kept,) = state._context.context["agent_exec"].values()
        kept["answer"] = answer.to_json()
    for item in state.get_interruptions():
        if approved:
            state.approve(item)
        else:
            state.reject(item)
    return outcome(execs, await Runner.run(made, state, run_config=QUIET))


class TestOpenAIAgents(AskingSuite, CancellingSuite, ApproverSuite, BackgroundSuite):
    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        execs = ExecTools(tool)
        made = agent(execs, called(arguments))
        return outcome(execs, await Runner.run(made, "go on", context={}, run_config=QUIET))

    async def resume(self, tool: ExecTool, asked: Asked, *, approved: bool) -> str | Asked:
        return await resumed(tool, asked, approved=approved)

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        made = agent(ExecTools(tool, interrupt=False), called(arguments))
        return await Runner.run(made, "go on", run_config=QUIET)

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return ExecTools(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        made = agent(adapter, called(arguments, name))
        return str(outcome(adapter, await Runner.run(made, "go on", run_config=QUIET)))


class TestOpenAIShellTool:
    async def run(self, tool: ExecTool, *commands: str, **action: Any) -> str | Asked:
        execs = ExecTools(tool)
        made = agent(execs, shell_call(*commands, **action))
        return outcome(execs, await Runner.run(made, "go on", context={}, run_config=QUIET))

    def test_texts_run_without_a_shell(self, worktree: Path) -> None:
        told = with_tool(
            worktree,
            lambda tool: self.run(tool, "cat a.txt | wc -l", "cat missing"),
            policy="strict",
        )
        assert "1" in str(told)
        assert "No such file" in str(told)

    def test_one_that_is_denied(self, worktree: Path) -> None:
        told = with_tool(worktree, lambda tool: self.run(tool, "rm a.txt"), policy="read-only")
        assert "refused" in str(told)
        assert (worktree / "a.txt").exists()

    @pytest.mark.parametrize("approved", [True, False])
    def test_one_that_is_asked_about(self, worktree: Path, *, approved: bool) -> None:
        asked = with_tool(worktree, lambda tool: self.run(tool, "touch new", "cat a.txt"))
        assert isinstance(asked, Asked)
        assert "touch new" in asked.shown
        assert not (worktree / "new").exists()
        told = with_tool(worktree, lambda tool: resumed(tool, asked, approved=approved))
        assert (worktree / "new").exists() is approved
        assert ("one" in str(told)) is approved

    def test_one_that_takes_too_long(self, worktree: Path) -> None:
        told = with_tool(
            worktree, lambda tool: self.run(tool, "tail -f a.txt", timeout_ms=50), grace_s=0.0
        )
        assert "timeout" in str(told).lower()

    def test_one_that_is_cancelled_leaves_no_process(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> None:
            running = asyncio.ensure_future(self.run(tool, LONG_TREE["argv"][2]))
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

        with_tool(worktree, use, policy="open", grace_s=0.0)

    def test_a_long_output_is_cut(self, worktree: Path) -> None:
        (worktree / "long.txt").write_text("x" * 100_000)
        told = with_tool(worktree, lambda tool: self.run(tool, "cat long.txt"))
        assert "bytes left out" in str(told)


@pytest.mark.parametrize("context", [None, {}], ids=["no-context", "dict"])
def test_an_answer_in_the_same_process(worktree: Path, context: Any) -> None:
    async def use(tool: ExecTool) -> str | Asked:
        execs = ExecTools(tool)
        made = agent(execs, called({"argv": ["touch", "new"]}))
        result = await Runner.run(made, "go on", context=context, run_config=QUIET)
        (item,) = result.interruptions
        (asked,) = execs.questions(item, context)
        assert "touch new" in asked["text"]
        state = result.to_state()
        state.approve(item)
        return outcome(execs, await Runner.run(made, state, run_config=QUIET))

    assert str(with_tool(worktree, use)).startswith("exit status 0")
    assert (worktree / "new").exists()


def asked_without_a_context(worktree: Path) -> Asked:
    async def use(tool: ExecTool) -> Asked:
        execs = ExecTools(tool)
        made = agent(execs, called({"argv": ["touch", "new"]}))
        result = await Runner.run(made, "go on", run_config=QUIET)
        return Asked("", json.dumps(result.to_state().to_json()))

    return with_tool(worktree, use)


def test_an_answer_to_nobody_knows_what_is_none(worktree: Path) -> None:
    asked = asked_without_a_context(worktree)
    told = with_tool(worktree, lambda tool: resumed(tool, asked, approved=True))
    assert str(told).startswith("refused: nobody was asked about this")
    assert not (worktree / "new").exists()


def test_approving_the_tool_for_good_approves_what_was_shown_alone(worktree: Path) -> None:
    async def use(tool: ExecTool) -> str | Asked:
        execs = ExecTools(tool)
        second = [function_call("exec", {"argv": ["touch", "second"]}, call_id="call-1")]
        made = agent(execs, called({"argv": ["touch", "first"]}), second)
        result = await Runner.run(made, "go on", context={}, run_config=QUIET)
        state = result.to_state()
        state.approve(result.interruptions[0], always_approve=True)
        return outcome(execs, await Runner.run(made, state, run_config=QUIET))

    told = with_tool(worktree, use)
    assert (worktree / "first").exists()
    assert not (worktree / "second").exists()
    assert str(told).startswith("refused: nobody was asked about this")


def test_an_answer_for_good_is_remembered(worktree: Path) -> None:
    suite = TestOpenAIAgents()
    asked = suite.asked(worktree, {"argv": ["touch", "new"]})
    told = with_tool(
        worktree, lambda tool: resumed(tool, asked, approved=True, answer=Answer(Reply.ALWAYS))
    )
    assert str(told).startswith("exit status 0")
    assert suite.result(worktree, {"argv": ["touch", "new"]}).startswith("exit status 0")


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
def test_the_approver_of_the_tool_is_asked_where_that_is_wanted(
    worktree: Path, reply: Reply
) -> None:
    async def use(tool: ExecTool) -> str | Asked:
        execs = ExecTools(tool, interrupt=False)
        made = agent(execs, called({"argv": ["touch", "new"]}))
        return outcome(execs, await Runner.run(made, "go on", run_config=QUIET))

    told = with_tool(worktree, use, approver=lambda _question: Answer(reply))
    assert str(told).startswith("exit status 0" if reply is Reply.ONCE else "refused: ")


def test_what_nothing_is_known_of_has_no_question(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        execs = ExecTools(tool)
        made = agent(execs, called({"argv": ["touch", "new"]}))
        result = await Runner.run(made, "go on", run_config=QUIET)
        with pytest.raises(LookupError, match="no question is known"):
            ExecTools(tool).questions(result.interruptions[0])

    with_tool(worktree, use)
