"""What a launcher is given: everything it needs and nothing it has to decide.

Text became bytes when a plan was bound: a launcher never encodes, searches PATH, or
reads os.environ.

No dataclasses here: to make a named tuple takes a third of the time, and
to make its class a fifth, which a process that judges one call waits for.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any, Literal

from agent_exec.model.action import Action
from agent_exec.model.confinement import Confinement
from agent_exec.named_tuple import NamedTuple


class Survivors(StrEnum):
    """What becomes of descendants that are left when a call has ended."""

    KILL = "kill"
    KEEP = "keep"


class Containment(StrEnum):
    """How the descendants of a call are kept together, and found when it ends."""

    AUTO = "auto"
    """`CGROUP` where that works, else `SESSION`."""
    CGROUP = "cgroup"
    """A cgroup for each call: everything it started is found, whatever it has become."""
    SESSION = "session"
    """A session and a group for each stage, and a mark in the environment."""


class TemplateUse(StrEnum):
    """How a stage came by its spawn template."""

    HIT = "hit"
    """It was in the cache and still true."""
    MISS = "miss"
    """It was made for this call."""
    RECREATED = "recreated"
    """The one in the cache was stale; it was made again and the call went on."""


class Identity(NamedTuple):
    """The key by which a file is known to be the one that was opened.

    The fields of stat(2) that the RFC compares; times in nanoseconds.
    """

    dev: int
    ino: int
    size: int
    mode: int
    uid: int
    gid: int
    ctime_ns: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """The identity that `os.stat` or `os.fstat` has just seen."""
        return cls(
            dev=status.st_dev,
            ino=status.st_ino,
            size=status.st_size,
            mode=status.st_mode,
            uid=status.st_uid,
            gid=status.st_gid,
            ctime_ns=status.st_ctime_ns,
            mtime_ns=status.st_mtime_ns,
        )


class Executable:
    """The pinned part of a spawn template, as a launcher needs it. Frozen; equal by its values.

    `fd` is borrowed from the template: it must stay open until the child has started. No named
    tuple, which nothing can refer to weakly.
    """

    __slots__ = (
        *("__weakref__", "name", "called", "credentials", "execfd", "fd", "identity", "path"),
        *("script",),
    )
    _VALUES = __slots__[2:]

    name: str
    """What to call it in a message: its path, or words for a descriptor."""

    fd: int
    path: bytes | None
    """Absolute; None when the template was made from a descriptor."""
    identity: Identity
    script: bool
    """Starts with ``#!``: executed by path, because a close-on-exec descriptor cannot be."""
    credentials: bytes
    """What `Launcher.credentials()` said when the template was made."""
    execfd: int | None
    """The caller's number of the descriptor that `fd` is a copy of, for messages."""
    called: bytes | None
    """How `path` is called from the directory that the child changes to, where that is what
    it is to be executed by: a script is told the words."""

    def __init__(
        self,
        *,
        fd: int,
        path: bytes | None,
        identity: Identity,
        script: bool,
        credentials: bytes,
        execfd: int | None = None,
        called: bytes | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "fd", fd)
        put(self, "path", path)
        put(self, "identity", identity)
        put(self, "script", script)
        put(self, "credentials", credentials)
        put(self, "execfd", execfd)
        put(self, "called", called)
        number = fd if execfd is None else execfd
        put(self, "name", f"descriptor {number}" if path is None else os.fsdecode(path))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of an executable does not change")

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self._VALUES])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Executable) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def but(self, **changes: Any) -> Executable:  # noqa: ANN401 - as those of __init__
        """The same, with other values for some of its fields."""
        kept: dict[str, Any] = dict(zip(self._VALUES, self._values(), strict=True))
        return Executable(**kept | changes)


class SpawnPlan(NamedTuple):
    """One child.

    Launchers raise ValueError for a word with a NUL in it, which execve(2) would silently
    cut: that is our bug, not the user's, whose words are checked when a call is resolved.
    """

    executable: Executable
    argv: tuple[bytes, ...]
    envp: tuple[bytes, ...] = ()
    """``b"NAME=value"`` words; the child gets no other."""
    actions: tuple[Action, ...] = ()
    """Run in order by the child; validated before."""
    inherit_fds: bool = False
    """Leave descriptors above 2 that are not close-on-exec open in the child."""
    session: bool = False
    """The child leads a group of its own, has no terminal of ours, and leads a session, unless
    our process has no terminal and a cgroup holds the call. The C core may have looked up to
    10 ms ago whether it has one."""
    reset_signals: bool = False
    """Empty signal mask, and default action for every signal that the parent ignores.

    The C core may have looked up to 10 ms ago which of the real-time signals those are.
    """
    die_with_parent: bool = False
    """PR_SET_PDEATHSIG with SIGKILL, where the launcher has it."""
    confinement: Confinement | None = None
    """None: it may do all that we may."""


class Limits(NamedTuple):
    """Bounds on one call. Times in seconds, sizes in bytes."""

    timeout_s: float | None = 120.0
    """From the start of the launch to the first signal; None for no limit."""
    grace_s: float = 2.0
    """From SIGTERM to SIGKILL."""
    drain_s: float = 0.05
    """How long output is still awaited when every stage has exited but a pipe is held."""
    head_bytes: int = 512 * 1024
    """First bytes kept of each output."""
    tail_bytes: int = 512 * 1024
    """Last bytes kept of each output."""

    def for_time(self, timeout_s: float) -> Limits:
        """The same with another `timeout_s`: what nearly every call makes, in a step."""
        return Limits(timeout_s, *self[1:])


class Spill(NamedTuple):
    """Where the whole of an output goes, beside the part that is kept in memory.

    `fd` is borrowed and open for writing; at most `cap` bytes are written to it.
    """

    fd: int
    cap: int


class Stdio(StrEnum):
    """Where a call's input or output goes, when it is neither bytes nor a descriptor."""

    NULL = "null"
    """/dev/null."""
    CAPTURE = "capture"
    """A pipe that the engine reads (outputs only)."""


class CallPlan(NamedTuple):
    """One call: its stages, joined by pipes, and how they are supervised.

    The first stage reads `stdin`, the last writes `stdout`, all share `stderr`.
    Descriptors are borrowed until the call has ended.
    """

    stages: tuple[SpawnPlan, ...]
    """At least one."""
    stdin: bytes | int | Literal[Stdio.NULL] = Stdio.NULL
    """Literal bytes, a descriptor to hand on, or NULL."""
    stdout: int | Stdio = Stdio.CAPTURE
    stderr: int | Stdio = Stdio.CAPTURE
    stdout_spill: Spill | None = None
    stderr_spill: Spill | None = None
    limits: Limits = Limits()
    survivors: Survivors = Survivors.KILL
    mark: bytes = b""
    """``b"NAME=value"`` that is in every stage's environment, to find descendants by."""
