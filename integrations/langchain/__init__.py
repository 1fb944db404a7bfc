"""The tool for agents of LangChain and LangGraph: `exec_tools`, `approve`, `reject`.

And `shell_middleware`, which runs the commands of LangChain's own shell tool.
"""

from agent_exec.integrations.common.extra import needs

with needs("langchain"):
    from agent_exec.integrations.langchain.interrupting import approve, reject
    from agent_exec.integrations.langchain.shell import JudgedExecutionPolicy, shell_middleware
    from agent_exec.integrations.langchain.tool import ExecLangChainTool, exec_tools

__all__ = [
    "ExecLangChainTool",
    "JudgedExecutionPolicy",
    "approve",
    "exec_tools",
    "reject",
    "shell_middleware",
]
