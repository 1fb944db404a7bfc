"""The tool under the real LangChain and LangGraph, with a model that follows a script."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from anyio import to_thread
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

pytest.importorskip("langgraph")

from langchain.agents import create_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from agent_exec.integrations.langchain import ExecLangChainTool, approve, exec_tools, reject

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

CONFIG: Any = {"configurable": {"thread_id": "one"}}


def graph(tool: ExecTool, saver: InMemorySaver, **options: Any) -> Any:
    return graph_of(exec_tools(tool, **options), saver)


def graph_of(tools: list[ExecLangChainTool], saver: InMemorySaver) -> Any:
    """One node of tools: what a model sent is the state that it is given."""
    made = StateGraph(MessagesState)
    made.add_node("tools", ToolNode(tools))
    made.add_edge(START, "tools")
    made.add_edge("tools", END)
    return made.compile(checkpointer=saver)


def sent(*calls: Arguments, name: str = "exec") -> dict[str, Any]:
    return {
        "messages": [
            AIMessage(
                "",
                tool_calls=[
                    {"name": name, "args": dict(each), "id": f"call-{n}"}
                    for n, each in enumerate(calls)
                ],
            )
        ]
    }


def outcome(state: dict[str, Any], saver: InMemorySaver) -> str | Asked:
    """The state is what the checkpointer has."""
    if "__interrupt__" in state:
        value = state["__interrupt__"][0].value
        return Stored(value["description"], json.dumps(value), saver)
    last = state["messages"][-1]
    assert isinstance(last, ToolMessage)
    return str(last.content)


class Stored(Asked):
    """With the checkpoints that another process would read."""

    saver: InMemorySaver

    def __new__(cls, shown: str, state: str, saver: InMemorySaver) -> Self:
        made = super().__new__(cls, shown, state)
        made.saver = saver
        return made


class TestLangChain(AskingSuite, CancellingSuite, ApproverSuite, BackgroundSuite):
    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        saver = InMemorySaver()
        return outcome(await graph(tool, saver).ainvoke(sent(arguments), CONFIG), saver)

    async def resume(self, tool: ExecTool, asked: Asked, *, approved: bool) -> str | Asked:
        assert isinstance(asked, Stored)
        request = json.loads(asked.state)
        command = Command(resume=approve(request) if approved else reject(request, "not now"))
        return outcome(await graph(tool, asked.saver).ainvoke(command, CONFIG), asked.saver)

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        return await graph(tool, InMemorySaver(), interrupt=False).ainvoke(sent(arguments), CONFIG)

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return exec_tools(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        saver = InMemorySaver()
        state = await graph_of(adapter, saver).ainvoke(sent(arguments, name=name), CONFIG)
        return str(outcome(state, saver))


class TestLangChainOnThreads(AskingSuite, BackgroundSuite):
    """`invoke`, which cannot be cancelled."""

    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        saver = InMemorySaver()
        invoke = partial(graph(tool, saver).invoke, sent(arguments), CONFIG)
        return outcome(await to_thread.run_sync(invoke), saver)

    async def resume(self, tool: ExecTool, asked: Asked, *, approved: bool) -> str | Asked:
        assert isinstance(asked, Stored)
        request = json.loads(asked.state)
        command = Command(resume=approve(request) if approved else reject(request))
        invoke = partial(graph(tool, asked.saver).invoke, command, CONFIG)
        return outcome(await to_thread.run_sync(invoke), asked.saver)

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return exec_tools(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        saver = InMemorySaver()
        invoke = partial(graph_of(adapter, saver).invoke, sent(arguments, name=name), CONFIG)
        return str(outcome(await to_thread.run_sync(invoke), saver))


def one_asked(worktree: Path) -> Stored:
    asked = TestLangChain().asked(worktree, {"argv": ["touch", "new"]})
    assert isinstance(asked, Stored)
    return asked


async def resumed(tool: ExecTool, asked: Stored, value: Any) -> str | Asked:
    state = await graph(tool, asked.saver).ainvoke(Command(resume=value), CONFIG)
    return outcome(state, asked.saver)


def test_a_rejection_tells_the_model_why(worktree: Path) -> None:
    asked = one_asked(worktree)
    value = reject(json.loads(asked.state), "use git mv")
    assert "use git mv" in str(with_tool(worktree, lambda tool: resumed(tool, asked, value)))
    assert not (worktree / "new").exists()


@pytest.mark.parametrize("value", [True, "approve", {"type": "approve"}, {"question": 1}])
def test_an_answer_to_nobody_knows_what_is_none(worktree: Path, value: Any) -> None:
    asked = one_asked(worktree)
    with pytest.raises(ValueError, match="resume with approve"):
        with_tool(worktree, lambda tool: resumed(tool, asked, value))
    assert not (worktree / "new").exists()


def test_an_answer_to_another_question_is_none(worktree: Path) -> None:
    asked, other = one_asked(worktree), TestLangChain().asked(worktree, {"argv": ["rm", "a.txt"]})
    value = approve(json.loads(other.state))
    told = with_tool(worktree, lambda tool: resumed(tool, asked, value))
    assert str(told).startswith("refused: nobody was asked about this")
    assert sorted(path.name for path in worktree.iterdir()) == ["a.txt"]


def test_what_is_not_clearly_a_yes_is_a_no(worktree: Path) -> None:
    asked = one_asked(worktree)
    value = {**json.loads(asked.state), "type": "approved"}
    told = with_tool(worktree, lambda tool: resumed(tool, asked, value))
    assert str(told).startswith("refused: ")
    assert not (worktree / "new").exists()


def test_an_answer_for_good_is_remembered(worktree: Path) -> None:
    asked = one_asked(worktree)
    value = approve(json.loads(asked.state), Answer(Reply.ALWAYS))
    assert str(with_tool(worktree, lambda tool: resumed(tool, asked, value))).startswith("exit")
    told = TestLangChain().result(worktree, {"argv": ["touch", "new"]})
    assert told.startswith("exit status 0")


class Script(FakeMessagesListChatModel):
    """A model that says what it is told to."""

    def bind_tools(self, *_: Any, **__: Any) -> Self:
        return self


def test_two_calls_of_an_agent_are_answered_each_for_itself(worktree: Path) -> None:
    saver = InMemorySaver()

    async def use(tool: ExecTool) -> Any:
        calls = sent({"argv": ["touch", "first"]}, {"argv": ["touch", "second"]})["messages"]
        model = Script(responses=[*calls, AIMessage("done")])
        made = create_agent(model, [ExecLangChainTool(tool)], checkpointer=saver)
        state = await made.ainvoke({"messages": [HumanMessage("go on")]}, CONFIG)
        answers = {
            each.id: (reject if "first" in each.value["description"] else approve)(each.value)
            for each in state["__interrupt__"]
        }
        return await made.ainvoke(Command(resume=answers), CONFIG)

    state = with_tool(worktree, use)
    assert state["messages"][-1].content == "done"
    assert sorted(path.name for path in worktree.iterdir()) == ["a.txt", "second"]


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
@pytest.mark.parametrize("how", ["outside-a-graph", "not-wanted"])
def test_the_approver_of_the_tool_is_asked(worktree: Path, reply: Reply, how: str) -> None:
    async def use(tool: ExecTool) -> str | Asked:
        arguments = {"argv": ["touch", "new"]}
        if how == "outside-a-graph":
            return str(await ExecLangChainTool(tool).ainvoke(arguments))
        saver = InMemorySaver()
        made = graph(tool, saver, interrupt=False)
        return outcome(await made.ainvoke(sent(arguments), CONFIG), saver)

    told = with_tool(worktree, use, approver=lambda _question: Answer(reply))
    assert str(told).startswith("exit status 0" if reply is Reply.ONCE else "refused: ")


def test_the_whole_result_is_the_artifact(worktree: Path) -> None:
    async def use(tool: ExecTool) -> Any:
        state = sent({"argv": ["cat", "a.txt"]})
        return await graph(tool, InMemorySaver()).ainvoke(state, CONFIG)

    message = with_tool(worktree, use)["messages"][-1]
    assert message.artifact["stdout"]["head"] == "one\n"


def test_the_definition_is_ours(worktree: Path) -> None:
    from langchain_core.utils.function_calling import convert_to_openai_tool

    with ExecTool(worktree, audit=False) as tool:
        made = convert_to_openai_tool(ExecLangChainTool(tool))["function"]
        shown = tool.definition("openai")[0]
    assert made["name"] == "exec"
    assert made["description"] == shown["description"]
    assert made["parameters"]["properties"].keys() == shown["parameters"]["properties"].keys()
