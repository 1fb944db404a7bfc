"""`exec` as a tool of LangChain."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from agent_exec import ExecTool, Question, ToolResult
from agent_exec.integrations.common.asking import NOT_ASKED
from agent_exec.integrations.common.served import definition, definitions, owner_of
from agent_exec.integrations.langchain.interrupting import call, call_sync


def exec_tools(
    tool: ExecTool, *, interrupt: bool = True, owner: str | None = None
) -> list[ExecLangChainTool]:
    """Gives `exec` to an agent, and the tools for what it starts in the background.

    ``create_agent(model, exec_tools(tool))``. See `ExecLangChainTool`, of which they are.

    Args:
        tool: Stays the caller's to close.
        interrupt: False: what the policy asks about is for the approver of `tool`.
        owner: Whose background sessions the agent has: those of these tools alone, when not
            given. They end with `tool`, or by its ``end_sessions(owner)``.
    """
    owner = owner_of(owner)
    return [
        ExecLangChainTool(tool, name=each.name, interrupt=interrupt, owner=owner)
        for each in definitions()
    ]


class ExecLangChainTool(BaseTool):
    """One of the tools that `exec_tools` gives.

    A call that the policy asks about interrupts the graph. The value of the interrupt has a
    ``description`` for a person; resume with `approve` or `reject` of it. It is stored by the
    checkpointer, and what was approved is what runs. The whole result is the artifact of the
    tool's message.

    Args:
        tool: Stays the caller's to close.
        name: Which of them.
        interrupt: False: what the policy asks about is for the approver of `tool`.
        owner: Whose background sessions it starts and uses: its own alone, when not given.
    """

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    _tool: ExecTool = PrivateAttr()
    _call: dict[str, Any] = PrivateAttr()

    def __init__(
        self,
        tool: ExecTool,
        *,
        name: str = "exec",
        interrupt: bool = True,
        owner: str | None = None,
    ) -> None:
        defined = definition(name)
        super().__init__(
            name=defined.name,
            description=defined.description,
            args_schema=defined.parameters,
        )
        self._call = {"name": name, "owner": owner_of(owner), "may_interrupt": interrupt}
        self._tool = tool

    def _run(self, **arguments: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - a model's
        return _told(call_sync(self._tool, arguments, **self._call))

    async def _arun(self, **arguments: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
        return _told(await call(self._tool, arguments, **self._call))


def _told(done: ToolResult | Question) -> tuple[str, dict[str, Any]]:
    if isinstance(done, Question):
        return NOT_ASKED, done.to_json()
    return done.text or "", done.to_json()
