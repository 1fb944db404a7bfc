"""For agents of the OpenAI Agents SDK: `ExecTools`, and a sandbox for its sandbox agents,
`ExecSandboxSession`.
"""

from agent_exec.integrations.common.extra import needs

with needs("openai-agents"):
    from agent_exec.integrations.openai_agents.sandbox import ExecSandboxSession
    from agent_exec.integrations.openai_agents.tools import ExecTools

__all__ = ["ExecSandboxSession", "ExecTools"]
