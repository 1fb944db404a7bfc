"""A sandbox for the shell and code tools of ag2: `ExecSandbox`."""

from agent_exec.integrations.common.extra import needs

with needs("ag2"):
    from agent_exec.integrations.ag2.sandbox import ExecSandbox

__all__ = ["ExecSandbox"]
