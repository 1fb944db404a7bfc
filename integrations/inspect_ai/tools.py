"""`exec`, and the tools for what it starts in the background, as tools of Inspect."""

from __future__ import annotations

from typing import Any

from inspect_ai.tool import Tool, ToolDef, ToolParams
from inspect_ai.util import sandbox

from agent_exec.integrations.common.served import Definition, definitions
from agent_exec.integrations.inspect_ai.sandbox import AgentExecSandbox


def exec_tools() -> list[Tool]:
    """Gives `exec` to a model, and the tools for what it starts in the background.

    ``use_tools(exec_tools())``, in tasks with the sandbox ``agent_exec``: each sample has its own
    sessions, which end with it.
    """
    return [_tool(each) for each in definitions()]


def _tool(definition: Definition) -> Tool:
    async def execute(**arguments: Any) -> str:  # noqa: ANN401 - a model's
        tool = sandbox().as_type(AgentExecSandbox).tool
        return (await tool.call(arguments, name=definition.name)).text or ""

    return ToolDef(
        execute,
        name=definition.name,
        description=definition.description,
        # What is wrong with the fields, the tool says itself, with the call to send instead.
        parameters=ToolParams.model_validate({**definition.parameters, "required": []}),
    ).as_tool()
