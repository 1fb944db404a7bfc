"""Whether the vfork launcher works on this machine.

Found out when this module is imported, so once in a process: it takes a launch.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from agent_exec.errors import LaunchError, Step
from agent_exec.launch import native
from agent_exec.launch.vfork import VforkLauncher
from agent_exec.model.plan import Executable, Identity, SpawnPlan

_EXHAUSTED = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


def _try() -> bool:
    """Does a vfork child share our memory, as the C core needs it to?

    Some emulations (gVisor, WSL1, qemu-user) make a copy instead: then the child's
    report of its failure never arrives. Tries with a program that cannot be executed.

    Raises:
        OSError, LaunchError: No process or descriptor is left to try it with.
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
        if error.step is Step.SPAWN and error.errno in _EXHAUSTED:
            raise
        return error.step is Step.EXEC and error.errno == errno.EACCES
    finally:
        os.close(fd)
    assert child.pidfd is not None
    os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
    os.close(child.pidfd)
    return False


WORKS: Final = _try()
