"""The `vfork` launcher: the C core's clone3 child, on the calling thread."""

from __future__ import annotations

import errno
import os

from agent_exec.errors import LaunchError, Step
from agent_exec.launch import native
from agent_exec.model.child import Child
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Executable, Identity, SpawnPlan


class VforkLauncher:
    """Starts children with vfork semantics, without the interpreter lock.

    The calling thread stands still until the child has exec'd; the others run on.
    """

    name = LauncherName.VFORK

    def credentials(self) -> bytes:
        """Process, users, groups, capabilities and securebits of the calling thread."""
        return native.credentials()

    def spawn(self, plan: SpawnPlan) -> Child:
        """Start the child of `plan`; see `agent_exec.launch.base.Launcher`."""
        pid, pidfd, step, error, action = native.spawn(plan)
        if pid < 0:
            raise native.launch_failure(plan.executable, step, error, action)
        return Child(pid, pidfd)


def works_here() -> bool:
    """Does a vfork child share our memory, as the C core needs it to?

    Some emulations (gVisor, WSL1, qemu-user) make a copy instead: then the child's
    report of its failure never arrives. Tries with a program that cannot be executed.
    """
    fd = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unrunnable = Executable(
            fd=fd,
            path=None,
            identity=Identity.of(os.fstat(fd)),
            script=False,
            credentials=native.credentials(),
        )
        child = VforkLauncher().spawn(SpawnPlan(executable=unrunnable, argv=(b"probe",)))
    except LaunchError as error:
        return error.step is Step.EXEC and error.errno == errno.EACCES
    finally:
        os.close(fd)
    assert child.pidfd is not None
    os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
    os.close(child.pidfd)
    return False
