"""What became of a call that ran.

The C core makes these values: it knows the order of their fields.
"""

from __future__ import annotations

from enum import StrEnum

from agent_exec.model.launcher import LauncherName
from agent_exec.named_tuple import NamedTuple

__all__ = ["Captured", "Ended", "LauncherName", "Outcome", "StageOutcome"]


class Ended(StrEnum):
    """Why a call ended."""

    EXIT = "exit"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    LAUNCH_FAILED = "launch_failed"
    RUNNING = "running"
    """It has not: it was left running, as a session."""


class Captured(NamedTuple):
    """Head, tail and count of dropped bytes of one output.

    What the child wrote is `head`, then `dropped` bytes, then `tail`. `spilled` bytes
    of it, from the first on, went to the spill file. `spill_errno` is not 0 when writing
    that file failed; what follows the failure is not in it.
    """

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0
    spilled: int = 0
    spill_errno: int = 0


class StageOutcome(NamedTuple):
    """How one stage ended: `exit_code` or `signal`, the other is None.

    Both are None when the status was taken by somebody else's wait(2) and the kernel
    (before 6.15) keeps no other record, or when the process outlived SIGKILL.
    """

    pid: int
    exit_code: int | None
    signal: int | None
    user_s: float = 0.0
    system_s: float = 0.0
    max_rss_kib: int = 0


class Outcome(NamedTuple):
    """What became of a call: every stage's end, what was captured, why it ended."""

    ended: Ended
    launcher: LauncherName
    stages: tuple[StageOutcome, ...]
    stdout: Captured
    stderr: Captured
    pipe_held: bool
    """A descendant still held an output pipe when the call ended."""
    survivors: tuple[int, ...] = ()
    """Pids of descendants found alive when every stage had exited. Killed, or kept as the
    plan's `survivors` says."""
    unreaped: tuple[int, ...] = ()
    """Pids of stages that outlived SIGKILL (stuck in the kernel)."""
    contained: bool = False
    """Every stage was born in a cgroup of the call's own, so that no descendant was
    overlooked but one that went to another cgroup."""
    duration_s: float = 0.0
    """From submission to the end."""
