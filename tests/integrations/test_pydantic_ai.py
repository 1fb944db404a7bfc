"""The toolset under the real Pydantic AI, with a model that follows a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from framework_suite import (
    ApproverSuite,
    Arguments,
    Asked,
    AskingSuite,
    BackgroundSuite,
    CancellingSuite,
    with_tool,
    worktree,
)

from agent_exec import Answer, ExecTool, Reply

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.run import AgentRunResult
from pydantic_ai.tools import ToolApproved, ToolDenied
from pydantic_core import to_jsonable_python

from agent_exec.integrations.pydantic_ai import ExecToolset

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

Output = str | DeferredToolRequests


def agent(tool: ExecTool, *calls: Arguments, **options: Any) -> Agent[None, Output]:
    """Its model sends `calls` to `exec` all at once, and then says what it got."""
    return agent_of(ExecToolset(tool, **options), *(("exec", each) for each in calls))


def agent_of(toolset: Any, *calls: tuple[str, Arguments]) -> Agent[None, Output]:
    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        last = messages[-1].parts
        got = [str(part.content) for part in last if isinstance(part, ToolReturnPart)]
        if got:
            return ModelResponse([TextPart("\n----\n".join(got))])
        return ModelResponse(
            [ToolCallPart(name, dict(each), f"call-{n}") for n, (name, each) in enumerate(calls)]
        )

    return Agent(
        FunctionModel(model),
        toolsets=[toolset],
        output_type=[str, DeferredToolRequests],
    )


def outcome(result: AgentRunResult[Any]) -> str | Asked:
    """Its state is the conversation, and what was asked about."""
    if isinstance(result.output, str):
        return result.output
    requests: DeferredToolRequests = result.output
    state = {
        "messages": to_jsonable_python(result.all_messages()),
        "metadata": requests.metadata,
    }
    shown = "\n".join(kept["text"] for kept in requests.metadata.values())
    return Asked(shown, json.dumps(state))


async def resumed(
    tool: ExecTool, asked: Asked, approvals: Mapping[str, Any], **changes: Any
) -> str | Asked:
    state = json.loads(asked.state)
    results = DeferredToolResults(
        approvals=dict(approvals), metadata=changes.get("metadata", state["metadata"])
    )
    history = ModelMessagesTypeAdapter.validate_python(state["messages"])
    return outcome(await agent(tool).run(message_history=history, deferred_tool_results=results))


class TestPydanticAI(AskingSuite, CancellingSuite, ApproverSuite, BackgroundSuite):
    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        return outcome(await agent(tool, arguments).run("go on"))

    async def resume(self, tool: ExecTool, asked: Asked, *, approved: bool) -> str | Asked:
        return await resumed(tool, asked, {"call-0": approved})

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        return await agent(tool, arguments, defer=False).run("go on")

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return ExecToolset(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        return str(outcome(await agent_of(adapter, (name, arguments)).run("go on")))


def test_the_definition_is_ours(worktree: Path) -> None:
    seen: list[Any] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.extend(info.function_tools)
        return ModelResponse([TextPart("done")])

    async def use(tool: ExecTool) -> list[dict[str, Any]]:
        await Agent(FunctionModel(model), toolsets=[ExecToolset(tool)]).run("go on")
        return tool.definition("openai")

    made = with_tool(worktree, use)
    assert [(each.name, each.description, each.parameters_json_schema) for each in seen] == [
        (each["name"], each["description"], each["parameters"]) for each in made
    ]


def test_the_whole_result_is_metadata(worktree: Path) -> None:
    async def use(tool: ExecTool) -> list[Any]:
        result = await agent(tool, {"argv": ["cat", "a.txt"]}).run("go on")
        parts = [part for message in result.all_messages() for part in message.parts]
        return [part.metadata for part in parts if isinstance(part, ToolReturnPart)]

    (metadata,) = with_tool(worktree, use)
    assert metadata["status"] == 0
    assert metadata["stdout"]["head"] == "one\n"


def test_two_questions_are_answered_each_for_itself(worktree: Path) -> None:
    calls = [{"argv": ["touch", "first"]}, {"argv": ["touch", "second"]}]

    async def ask(tool: ExecTool) -> str | Asked:
        return outcome(await agent(tool, *calls).run("go on"))

    asked = with_tool(worktree, ask)
    assert isinstance(asked, Asked)
    approvals = {"call-0": ToolDenied("not that one"), "call-1": True}
    told = with_tool(worktree, lambda tool: resumed(tool, asked, approvals))
    assert "not that one" in str(told)
    assert sorted(path.name for path in worktree.iterdir()) == ["a.txt", "second"]


def one_asked(worktree: Path) -> Asked:
    async def ask(tool: ExecTool) -> str | Asked:
        return outcome(await agent(tool, {"argv": ["touch", "new"]}).run("go on"))

    asked = with_tool(worktree, ask)
    assert isinstance(asked, Asked)
    return asked


def test_an_approval_of_other_arguments_is_asked_about_again(worktree: Path) -> None:
    approvals = {"call-0": ToolApproved(override_args={"argv": ["touch", "other"]})}
    asked = one_asked(worktree)
    again = with_tool(worktree, lambda tool: resumed(tool, asked, approvals))
    assert isinstance(again, Asked)
    assert "touch other" in again.shown
    assert not (worktree / "other").exists()
    told = with_tool(worktree, lambda tool: resumed(tool, again, approvals))
    assert str(told).startswith("exit status 0")
    assert (worktree / "other").exists()


def no_metadata(asked: Asked) -> dict[str, Any]:
    return {}


def of_another_call(asked: Asked) -> dict[str, Any]:
    kept = json.loads(asked.state)["metadata"]["call-0"]
    kept["question"]["decision"]["call"]["argv"] = ["touch", "other"]
    return {"call-0": kept}


def nonsense(asked: Asked) -> dict[str, Any]:
    return {"call-0": {"question": 1}}


@pytest.mark.parametrize("made", [no_metadata, of_another_call, nonsense])
def test_without_what_was_asked_about_it_is_asked_again(
    worktree: Path, made: Callable[[Asked], dict[str, Any]]
) -> None:
    asked = one_asked(worktree)
    told = with_tool(
        worktree, lambda tool: resumed(tool, asked, {"call-0": True}, metadata=made(asked))
    )
    assert isinstance(told, Asked)
    assert not (worktree / "new").exists()


def test_a_host_that_keeps_nothing_can_answer_in_the_same_process(worktree: Path) -> None:
    async def use(tool: ExecTool) -> str | Asked:
        made = agent(tool, {"argv": ["touch", "new"]})
        result = await made.run("go on")
        assert isinstance(result.output, DeferredToolRequests)
        results = result.output.build_results(approve_all=True)
        return outcome(
            await made.run(message_history=result.all_messages(), deferred_tool_results=results)
        )

    assert str(with_tool(worktree, use)).startswith("exit status 0")
    assert (worktree / "new").exists()


def test_an_answer_for_good_is_remembered(worktree: Path) -> None:
    asked = one_asked(worktree)
    kept = json.loads(asked.state)["metadata"]["call-0"]
    assert kept["question"]["remembers"]
    metadata = {"call-0": {**kept, "answer": Answer(Reply.ALWAYS).to_json()}}
    told = with_tool(
        worktree, lambda tool: resumed(tool, asked, {"call-0": True}, metadata=metadata)
    )
    assert str(told).startswith("exit status 0")

    async def again(tool: ExecTool) -> str | Asked:
        return outcome(await agent(tool, {"argv": ["touch", "new"]}).run("go on"))

    assert str(with_tool(worktree, again)).startswith("exit status 0")


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
def test_the_approver_of_the_tool_is_asked_where_that_is_wanted(
    worktree: Path, reply: Reply
) -> None:
    async def use(tool: ExecTool) -> str | Asked:
        made = agent(tool, {"argv": ["touch", "new"]}, defer=False)
        return outcome(await made.run("go on"))

    told = with_tool(worktree, use, approver=lambda _question: Answer(reply))
    assert str(told).startswith("exit status 0" if reply is Reply.ONCE else "refused: ")
    assert (worktree / "new").exists() is (reply is Reply.ONCE)


def test_arguments_that_are_no_object_are_asked_for_again(worktree: Path) -> None:
    sent = iter(['["touch", "new"]', '{"argv": ["cat", "a.txt"]}'])

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        arguments = next(sent, None)
        if arguments is None:
            return ModelResponse([TextPart("done")])
        return ModelResponse([ToolCallPart("exec", arguments)])

    async def use(tool: ExecTool) -> Any:
        return (await Agent(FunctionModel(model), toolsets=[ExecToolset(tool)]).run("go on")).output

    assert with_tool(worktree, use) == "done"


def test_what_a_host_has_asked_about_itself_is_the_call_that_it_was(worktree: Path) -> None:
    """`ApprovalRequiredToolset` asks about every tool, and hands on that it was approved."""

    async def use(tool: ExecTool) -> str:
        made = agent_of(ExecToolset(tool).approval_required(), ("exec_read", {}))
        result = await made.run("go on")
        assert isinstance(result.output, DeferredToolRequests)
        results = result.output.build_results(approve_all=True)
        history = result.all_messages()
        return str((await made.run(message_history=history, deferred_tool_results=results)).output)

    assert with_tool(worktree, use).startswith("0 sessions")
