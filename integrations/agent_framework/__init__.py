"""The tool for agents of the Agent Framework: `exec_functions`."""

from agent_exec.integrations.common.extra import needs

with needs("agent-framework"):
    from agent_exec.integrations.agent_framework.functions import exec_functions

__all__ = ["exec_functions"]
