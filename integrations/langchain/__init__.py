"""The tool for agents of LangChain and LangGraph: `ExecLangChainTool`, `approve`, `reject`."""

from agent_exec.integrations.common.extra import needs

with needs("langchain"):
    from agent_exec.integrations.langchain.interrupting import approve, reject
    from agent_exec.integrations.langchain.tool import ExecLangChainTool

__all__ = ["ExecLangChainTool", "approve", "reject"]
