"""A workbench of one `ExecTool`, and `exec` as a tool by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from autogen_core import CancellationToken
from autogen_core.tools import (
    BaseTool,
    ParametersSchema,
    TextResultContent,
    ToolResult,
    ToolSchema,
    Workbench,
)
from pydantic import BaseModel, ConfigDict

from agent_exec import ExecTool
from agent_exec.integrations.autogen.calling import call
from agent_exec.integrations.common.served import Definition, definition, definitions, owner_of


class ExecWorkbench(Workbench):
    """Gives `exec` to an agent, and the tools for what it starts in the background.

    ``AssistantAgent(workbench=ExecWorkbench(tool))``.

    AutoGen asks nobody about tools: what the policy asks about is for the approver of `tool`.

    Args:
        tool: Stays the caller's to close.
        owner: Whose background sessions the agent has: those of this workbench alone, when not
            given. They end with `tool`, and when the workbench is stopped or reset.
    """

    def __init__(self, tool: ExecTool, *, owner: str | None = None) -> None:
        self._tool = tool
        self.owner = owner_of(owner)
        self._schemas = [_schema(each) for each in definitions()]

    async def list_tools(self) -> list[ToolSchema]:
        return self._schemas

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,  # noqa: ARG002 - as all workbenches have it
    ) -> ToolResult:
        """An error is what did not run; a program that failed is none.

        What its token has cancelled is an error, too: `AssistantAgent` would wait for ever for
        a call that ends with `asyncio.CancelledError`.
        """
        try:
            done = await call(
                self._tool, arguments or {}, cancellation_token, name=name, owner=self.owner
            )
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if cancellation_token is None or not cancellation_token.is_cancelled():
                raise
            if task is not None and task.cancelling():
                raise
            content = TextResultContent(content="cancelled, and ended")
            return ToolResult(name=name, result=[content], is_error=True)
        content = TextResultContent(content=done.text or "")
        return ToolResult(name=name, result=[content], is_error=done.error is not None)

    async def start(self) -> None:
        """Nothing: the tool is ready, and stays the caller's."""

    async def stop(self) -> None:
        """End its background sessions, without waiting for that."""
        self._tool.end_sessions(self.owner)

    async def reset(self) -> None:
        """The same: else no call leaves a state."""
        self._tool.end_sessions(self.owner)

    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing: no session outlives its process."""


class Arguments(BaseModel):
    """Whatever a model sends: what is wrong with it, the tool says itself."""

    model_config = ConfigDict(extra="allow")


class Result(BaseModel):
    """What became of a call."""

    text: str
    """For the model."""
    result: dict[str, Any]
    """`agent_exec.ToolResult.to_json`."""


def exec_tools(tool: ExecTool, *, owner: str | None = None) -> list[ExecAutoGenTool]:
    """What `ExecWorkbench` gives, as tools among others: ``AssistantAgent(tools=[...])``.

    Args:
        tool: Stays the caller's to close.
        owner: Whose background sessions the agent has: those of these tools alone, when not
            given. They end with `tool`, or by its ``end_sessions(owner)``.
    """
    owner = owner_of(owner)
    return [ExecAutoGenTool(tool, name=each.name, owner=owner) for each in definitions()]


class ExecAutoGenTool(BaseTool[Arguments, Result]):
    """One of the tools that `exec_tools` gives.

    Args:
        tool: Stays the caller's to close.
        name: Which of them.
        owner: Whose background sessions it starts and uses: its own alone, when not given.
    """

    def __init__(self, tool: ExecTool, *, name: str = "exec", owner: str | None = None) -> None:
        self._tool = tool
        self._owner = owner_of(owner)
        self._definition = definition(name)
        super().__init__(
            Arguments, Result, self._definition.name, self._definition.description, strict=True
        )

    @property
    def schema(self) -> ToolSchema:
        return _schema(self._definition)

    def return_value_as_string(self, value: object) -> str:
        return value.text if isinstance(value, Result) else str(value)

    async def run(self, args: Arguments, cancellation_token: CancellationToken) -> Result:
        done = await call(
            self._tool,
            args.model_extra or {},
            cancellation_token,
            name=self._definition.name,
            owner=self._owner,
        )
        return Result(text=done.text or "", result=done.to_json())


def _schema(definition: Definition) -> ToolSchema:
    parameters = definition.parameters
    return ToolSchema(
        name=definition.name,
        description=definition.description,
        parameters=ParametersSchema(
            type="object",
            properties=parameters["properties"],
            required=parameters["required"],
            additionalProperties=False,
        ),
        strict=True,
    )
