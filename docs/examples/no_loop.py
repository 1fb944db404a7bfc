"""Without an event loop, and what a call that cannot run looks like."""

import agent_exec

with agent_exec.ExecTool(worktree=".", policy="default") as tool:
    for _ in range(3):
        print(tool.run_sync(["true"]).stages[0].template)
    try:
        tool.run_sync(["no-such-program"])
    except agent_exec.ProgramNotFound as error:
        print(error.name)
