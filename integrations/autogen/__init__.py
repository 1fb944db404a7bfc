"""The tool for agents of AutoGen: `ExecWorkbench`, `ExecAutoGenTool`, `ExecCodeExecutor`."""

from agent_exec.integrations.common.extra import needs

with needs("autogen"):
    from agent_exec.integrations.autogen.code_executor import ExecCodeExecutor
    from agent_exec.integrations.autogen.tools import ExecAutoGenTool, ExecWorkbench

__all__ = ["ExecAutoGenTool", "ExecCodeExecutor", "ExecWorkbench"]
