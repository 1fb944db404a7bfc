"""`exec` as a tool of LangChain."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from agent_exec import ExecTool, Question, ToolResult
from agent_exec.integrations.common.asking import NOT_ASKED
from agent_exec.integrations.common.served import definitions
from agent_exec.integrations.langchain.interrupting import call, call_sync


class ExecLangChainTool(BaseTool):
    """Gives `exec` to an agent: ``create_agent(model, tools=[ExecLangChainTool(tool)])``.

    A call that the policy asks about interrupts the graph. The value of the interrupt has a
    ``description`` for a person; resume with `approve` or `reject` of it. It is stored by the
    checkpointer, and what was approved is what runs. The whole result is the artifact of the
    tool's message.

    Args:
        tool: Stays the caller's to close.
        interrupt: False: what the policy asks about is for the approver of `tool`.
    """

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    _tool: ExecTool = PrivateAttr()
    _interrupt: bool = PrivateAttr()

    def __init__(self, tool: ExecTool, *, interrupt: bool = True) -> None:
        definition = definitions(tool)[0]
        super().__init__(
            name=definition.name,
            description=definition.description,
            args_schema=definition.parameters,
        )
        self._tool = tool
        self._interrupt = interrupt

    def _run(self, **arguments: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - a model's
        return _told(call_sync(self._tool, arguments, may_interrupt=self._interrupt))

    async def _arun(self, **arguments: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
        return _told(await call(self._tool, arguments, may_interrupt=self._interrupt))


def _told(done: ToolResult | Question) -> tuple[str, dict[str, Any]]:
    if isinstance(done, Question):
        return NOT_ASKED, done.to_json()
    return done.text or "", done.to_json()
