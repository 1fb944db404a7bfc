"""The sandbox ``agent_exec`` for evaluations of Inspect, and `exec_tools` for its models.

Importing this registers the sandbox.
"""

from agent_exec.integrations.common.extra import needs

with needs("inspect-ai"):
    from agent_exec.integrations.inspect_ai.sandbox import AgentExecConfig, AgentExecSandbox
    from agent_exec.integrations.inspect_ai.tools import exec_tools

__all__ = ["AgentExecConfig", "AgentExecSandbox", "exec_tools"]
