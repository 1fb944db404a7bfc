"""`exec`, and the tools for what it starts in the background, as tools of ag2."""

from __future__ import annotations

from typing import Any

from ag2.tools import tool as make_tool
from ag2.tools.final import FunctionTool
from ag2.utils import CONTEXT_OPTION_NAME

from agent_exec import ExecTool
from agent_exec.integrations.common.served import Definition, definitions, owner_of


def exec_tools(tool: ExecTool, *, owner: str | None = None) -> list[FunctionTool]:
    """Gives `exec` to an agent, and the tools for what it starts in the background.

    ``Agent("coder", config=..., tools=exec_tools(tool))``. What the policy asks about is for the
    approver of `tool`.

    Args:
        tool: Stays the caller's to close.
        owner: Whose background sessions the agent has: those of these tools alone, when not
            given. They end with `tool`, or by its ``end_sessions(owner)``.
    """
    owner = owner_of(owner)
    return [_tool(tool, each, owner) for each in definitions()]


def _tool(tool: ExecTool, definition: Definition, owner: str) -> FunctionTool:
    async def called(**arguments: Any) -> str:  # noqa: ANN401 - a model's
        del arguments[CONTEXT_OPTION_NAME]
        done = await tool.call(arguments, name=definition.name, owner=owner)
        return done.text or ""

    return make_tool(
        called,
        name=definition.name,
        description=definition.description,
        schema=definition.parameters,
    )
