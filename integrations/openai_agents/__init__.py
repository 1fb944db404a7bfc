"""The tool for agents of the OpenAI Agents SDK: `ExecTools`."""

from agent_exec.integrations.common.extra import needs

with needs("openai-agents"):
    from agent_exec.integrations.openai_agents.tools import ExecTools

__all__ = ["ExecTools"]
