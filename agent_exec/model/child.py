"""A process that has become its program."""

from __future__ import annotations

from agent_exec.model.launcher import LauncherName
from agent_exec.named_tuple import NamedTuple


class Child(NamedTuple):
    """A child that has passed execve(2). Whoever holds it waits for it.

    `pidfd` is close-on-exec and belongs to the holder, who closes it. Wait with
    ``os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)``; signal with
    `signal.pidfd_send_signal`, which can never reach a stranger. It is None only
    where the system has no pidfds.
    """

    pid: int
    pidfd: int | None
    launcher: LauncherName
    """Which one started it: where that of a template cannot, another does."""
