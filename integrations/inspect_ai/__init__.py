"""The sandbox ``agent_exec`` for evaluations of Inspect: importing this registers it."""

from agent_exec.integrations.common.extra import needs

with needs("inspect-ai"):
    from agent_exec.integrations.inspect_ai.sandbox import AgentExecConfig, AgentExecSandbox

__all__ = ["AgentExecConfig", "AgentExecSandbox"]
