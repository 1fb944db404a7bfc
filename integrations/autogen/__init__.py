"""The tool for agents of AutoGen: `ExecWorkbench`, `exec_tools`, `ExecCodeExecutor`."""

from agent_exec.integrations.common.extra import needs

with needs("autogen"):
    from agent_exec.integrations.autogen.code_executor import ExecCodeExecutor
    from agent_exec.integrations.autogen.tools import ExecAutoGenTool, ExecWorkbench, exec_tools

__all__ = ["ExecAutoGenTool", "ExecCodeExecutor", "ExecWorkbench", "exec_tools"]
