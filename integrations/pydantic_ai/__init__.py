"""The tool for agents of Pydantic AI: `ExecToolset`."""

from agent_exec.integrations.common.extra import needs

with needs("pydantic-ai"):
    from agent_exec.integrations.pydantic_ai.toolset import ExecToolset

__all__ = ["ExecToolset"]
