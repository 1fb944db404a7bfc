"""A back end for deep agents, whose every command is judged: `ExecSandbox`."""

from agent_exec.integrations.common.extra import needs

with needs("deepagents"):
    from agent_exec.integrations.deepagents.sandbox import ExecSandbox

__all__ = ["ExecSandbox"]
