"""``python -m agent_exec.daemon``: how a client starts one. It leaves its parent at once.

One line on stdout says that it listens, or why it does not; then stdout is closed.
"""

from __future__ import annotations

from agent_exec.runtime.detached import leave_parent

if __name__ == "__main__":
    leave_parent()
    # After the fork: what it imports may start threads.
    from agent_exec.daemon.main import run

    raise SystemExit(run())
