"""What a child does to itself between spawn and exec, so that it can do no more than was granted.

Made once for a worktree and a set of rights, and shared by many launches.
"""

from __future__ import annotations

from agent_exec.named_tuple import NamedTuple


class Filter(NamedTuple):
    """A seccomp filter, which a child inherits from the thread that spawns it."""

    program: bytes
    """An array of ``struct sock_filter``, in the byte order of this machine."""
    secret: tuple[int, int]
    """Two words of 64 bits, as the third and fourth argument of clone3(2), which has two: the
    filter refuses the call without them. A filter cannot look into the structure that
    clone3 is given, so to programs it must be refused, while spawning needs it."""


class Rlimit(NamedTuple):
    """One of setrlimit(2)."""

    resource: int
    soft: int
    hard: int


class Confinement(NamedTuple):
    """Of one child. All of it is irrevocable and passes to whatever the child starts."""

    landlock: int | None = None
    """A rule set of landlock_create_ruleset(2), borrowed until the child has started."""
    landlock_flags: int = 0
    """Of landlock_restrict_self(2)."""
    filter: Filter | None = None
    no_new_privs: bool = True
    """No setuid program gives it more rights; Landlock and seccomp cannot be had without."""
    rlimits: tuple[Rlimit, ...] = ()
    nice: int | None = None
    """Added to our own nice value."""
    umask: int | None = None
