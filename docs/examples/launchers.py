"""The same call by each launcher, under a policy that requires a sandbox."""

import agent_exec

for name in ("auto", "vfork", "portable"):
    with agent_exec.ExecTool(".", policy="default", launcher=name) as tool:
        try:
            result = tool.run_sync(["cat", "greeting.txt"])
        except agent_exec.Denied as error:
            print(f"{name}: not run: {error}")
        else:
            stage, held = result.stages[0], result.held_by or ()
            confined = {"landlock", "seccomp"} <= set(held)
            print(f"{name}: started by {stage.launcher}, confined: {confined}")
