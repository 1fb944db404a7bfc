"""The functions under the real Agent Framework, with a chat client that follows a script."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from framework_suite import (
    ApproverSuite,
    Arguments,
    Asked,
    BackgroundSuite,
    CancellingSuite,
    with_tool,
    worktree,
)

from agent_exec import Answer, ExecTool, Reply

pytest.importorskip("agent_framework")

from agent_framework import (
    Agent,
    BaseChatClient,
    ChatResponse,
    Content,
    FunctionInvocationLayer,
    Message,
)

from agent_exec.integrations.agent_framework import exec_functions

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]


class Script(FunctionInvocationLayer[Any], BaseChatClient[Any]):
    """A model that calls a tool once, and then says that it is done."""

    def __init__(self, arguments: Arguments, name: str = "exec") -> None:
        super().__init__()
        self._left = [
            Content.from_function_call("call-0", name, arguments=dict(arguments)),
        ]

    def _inner_get_response(self, **_: Any) -> Awaitable[ChatResponse]:
        async def respond() -> ChatResponse:
            content: Any = self._left.pop() if self._left else "done"
            return ChatResponse(messages=[Message(role="assistant", contents=[content])])

        return respond()


class TestAgentFramework(CancellingSuite, ApproverSuite, BackgroundSuite):
    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        return await self.sent(exec_functions(tool), "exec", arguments)

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        return await self.run(tool, arguments)

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return exec_functions(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        agent = Agent(client=Script(arguments, name), tools=adapter)
        response = await agent.run("go on")
        contents = [each for message in response.messages for each in message.contents]
        (result,) = [each for each in contents if each.type == "function_result"]
        return str(result.result)

    @pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
    def test_the_approver_of_the_tool_is_asked(self, worktree: Path, reply: Reply) -> None:
        told = self.result(
            worktree, {"argv": ["touch", "new"]}, approver=lambda _question: Answer(reply)
        )
        assert told.startswith("exit status 0" if reply is Reply.ONCE else "refused: ")
        assert (worktree / "new").exists() is (reply is Reply.ONCE)


def test_the_definition_is_ours(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        for made, shown in zip(exec_functions(tool), tool.definition("openai"), strict=True):
            assert (made.name, made.description) == (shown["name"], shown["description"])
            assert made.parameters()["properties"] == shown["parameters"]["properties"]

    with_tool(worktree, use)
