"""``python -m agent_exec`` is ``agent-exec``."""

from agent_exec.cli import as_process

as_process()
