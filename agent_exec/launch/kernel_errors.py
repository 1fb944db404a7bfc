"""What the RFC's two calls answer, in the words of our errors. Pure.

A failure after the child exists is no errno: the call has succeeded, and the child has a
status. Version 1 of the RFC puts it where the number of a signal belongs.
"""

from __future__ import annotations

import errno
import os

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.launch.kernel_abi import Ended
from agent_exec.model.plan import Executable

REFUSED = frozenset({errno.ENOSYS, errno.EPERM})
"""The calls are not to be had: a filter was installed since they were tried."""

_OF_THE_TEMPLATE = {
    errno.ESTALE: "",
    errno.EACCES: "the kernel's template was made with other credentials",
}
_SETUP = {127: errno.ENOENT, 126: errno.EACCES, 1: errno.EIO}
_HIGHEST_SIGNAL = 64


def create_refusal(executable: Executable, error: int) -> TemplateError:
    """Why no template could be made of an executable."""
    return TemplateError(executable.name, error)


def spawn_refusal(executable: Executable, error: int) -> TemplateError | LaunchError:
    """Why there is no child."""
    if error in _OF_THE_TEMPLATE:
        return TemplateError(executable.name, error, _OF_THE_TEMPLATE[error])
    return LaunchError(executable.name, Step.SPAWN, error)


def setup_errno(ended: Ended, *, has_execed: bool | None) -> int | None:
    """The errno, as far as it is told, of a child that ended before it was the program.

    Args:
        ended: What waitid(2) said, which also knows signals that there are not; from
            the status of wait(2), 127 looks like a child that was stopped.
        has_execed: What the kernel says of it; None: that could not be asked.

    Returns:
        ENOENT, EACCES (or ENOEXEC), or EIO for anything else; None when the child was the
        program, and when that cannot be told from it: status 1 is SIGHUP's, too. Statuses
        126, 127 and 1 that are no signals are taken for failures (of a kernel that has
        this mended) only where it is known that nothing was executed.
    """
    if ended.status not in _SETUP:
        return None
    impossible = ended.code != os.CLD_EXITED and ended.status > _HIGHEST_SIGNAL
    return _SETUP[ended.status] if impossible or has_execed is False else None
