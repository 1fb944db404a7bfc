"""Start children from a spawn template, with no tool and no policy above it."""

import os

import agent_exec

with agent_exec.SpawnTemplate.create("/bin/sh") as template:
    child = template.spawn(
        ["sh", "-c", 'echo "$GREETING" from $0'],
        {"GREETING": "hello"},
        [agent_exec.Action.dup2(1, 2)],
    )
    assert child.pidfd is not None
    status = os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
    os.close(child.pidfd)
    assert status is not None
    print("exit status", status.si_status)
