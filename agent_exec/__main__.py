"""``python -m agent_exec`` is ``agent-exec``."""

from agent_exec.cli import main

main()
