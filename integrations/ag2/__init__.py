"""For agents of ag2: `exec_tools`, and a sandbox for its shell and code tools, `ExecSandbox`."""

from agent_exec.integrations.common.extra import needs

with needs("ag2"):
    from agent_exec.integrations.ag2.sandbox import ExecSandbox
    from agent_exec.integrations.ag2.tools import exec_tools

__all__ = ["ExecSandbox", "exec_tools"]
