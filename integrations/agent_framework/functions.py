"""Function tools over one `ExecTool`."""

from __future__ import annotations

from typing import Any

from agent_framework import FunctionTool

from agent_exec import ExecTool
from agent_exec.integrations.common.served import Definition, definitions, owner_of


def exec_functions(tool: ExecTool, *, owner: str | None = None) -> list[FunctionTool]:
    """Gives `exec` to an agent, and the tools for what it starts in the background.

    ``Agent(client=..., tools=exec_functions(tool))``.

    The framework's own approvals are for every call of a tool or none. What the policy asks
    about is for the approver of `tool`.

    Args:
        tool: Stays the caller's to close.
        owner: Whose background sessions the agent has: those of these functions alone, when not
            given. They end with `tool`, or by its ``end_sessions(owner)``.
    """
    owner = owner_of(owner)
    return [_function(tool, each, owner) for each in definitions()]


def _function(tool: ExecTool, definition: Definition, owner: str) -> FunctionTool:
    async def called(**arguments: Any) -> str:  # noqa: ANN401 - a model's
        done = await tool.call(arguments, name=definition.name, owner=owner)
        return done.text or ""

    # What is wrong with the fields, the tool says itself, with the call to send instead.
    schema = {**definition.parameters, "required": [], "additionalProperties": True}
    return FunctionTool(
        name=definition.name,
        description=definition.description,
        approval_mode="never_require",
        func=called,
        input_model=schema,
    )
