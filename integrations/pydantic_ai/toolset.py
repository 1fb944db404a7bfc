"""A toolset of one `ExecTool`; what its policy asks about is a deferred tool call."""

from __future__ import annotations

from typing import Any

from pydantic_ai import ApprovalRequired, RunContext, ToolReturn
from pydantic_ai.tools import AgentDepsT, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from agent_exec import ExecTool, Question, ToolResult
from agent_exec.integrations.common.asking import (
    Waiting,
    call_or_ask,
    restored,
    run_answered,
    stored,
)
from agent_exec.integrations.common.served import definitions, owner_of

# What is wrong with the fields, the tool says itself, with the call to send instead.
_ANY_OBJECT = SchemaValidator(core_schema.dict_schema(core_schema.str_schema()))


class ExecToolset(AbstractToolset[AgentDepsT]):
    """Gives `exec` to an agent, and the tools for what it starts in the background.

    A call that the policy asks about ends the run with `DeferredToolRequests`, whose metadata
    for the call are ``text``, for a person, and ``question``. Hand them back in
    `DeferredToolResults`, with an ``answer`` if it is another one than once; they may have been
    JSON, for days. What was approved is what runs.

    Args:
        tool: Stays the caller's to close.
        id: Of this toolset among those of an agent.
        defer: False: what the policy asks about is for the approver of `tool`.
        max_retries: Of arguments that are no object; all else is an answer to the model.
        owner: Whose background sessions the agent has: those of this toolset alone, when not
            given. They end with `tool`, or by its ``end_sessions(toolset.owner)``.
    """

    def __init__(
        self,
        tool: ExecTool,
        *,
        id: str | None = None,  # noqa: A002 - as all toolsets call it
        defer: bool = True,
        max_retries: int = 1,
        owner: str | None = None,
    ) -> None:
        self._tool = tool
        self._id = id
        self._defer = defer
        self._max_retries = max_retries
        self.owner = owner_of(owner)
        self._waiting = Waiting()
        self._definitions = [
            ToolDefinition(
                name=each.name,
                description=each.description,
                parameters_json_schema=each.parameters,
            )
            for each in definitions()
        ]

    @property
    def id(self) -> str | None:
        return self._id

    async def get_tools(
        self,
        ctx: RunContext[AgentDepsT],  # noqa: ARG002 - as all toolsets have it
    ) -> dict[str, ToolsetTool[AgentDepsT]]:
        return {
            each.name: ToolsetTool(
                toolset=self,
                tool_def=each,
                max_retries=self._max_retries,
                args_validator=_ANY_OBJECT,
            )
            for each in self._definitions
        }

    async def call_tool(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[AgentDepsT],
        tool: ToolsetTool[AgentDepsT],  # noqa: ARG002 - as all toolsets have it
    ) -> ToolReturn:
        """Returns the text for the model; the whole result is its metadata."""
        id_ = ctx.tool_call_id or ""
        done: ToolResult | Question
        if not self._defer:
            done = await self._tool.call(tool_args, name=name, owner=self.owner)
        elif ctx.tool_call_approved:
            question, answer = restored(ctx.tool_call_metadata)
            question = question or self._waiting.take(id_)
            done = await run_answered(
                self._tool, tool_args, question, answer, name=name, owner=self.owner
            )
        else:
            done = await call_or_ask(self._tool, tool_args, name=name, owner=self.owner)
        if isinstance(done, Question):
            self._waiting.keep(id_, done)
            raise ApprovalRequired(stored(done))
        return ToolReturn(done.text or "", metadata=done.to_json())
