"""What a child does between spawn and exec, one `Action` at a time.

The shape is the RFC's ``struct spawn_template_action``: the same types, the same
numbers, the same fields, so that one validation and one encoding serve every launcher.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import IntEnum

from agent_exec.named_tuple import NamedTuple

MAX_ACTIONS = 256
"""Actions of one spawn; more is E2BIG. A limit of the RFC's kernel side."""

AT_FDCWD = -100
CLOSE_RANGE_UNSHARE = 2
CLOSE_RANGE_CLOEXEC = 4
MAX_FD = -1
"""As `newfd` of CLOSE_RANGE: up to the highest descriptor there can be."""


class ActionType(IntEnum):
    """The RFC's SPAWN_TEMPLATE_ACTION_* numbers."""

    CLOSE = 0
    DUP2 = 1
    FCHDIR = 2
    OPEN = 3
    CLOSE_RANGE = 4
    SIGMASK = 5
    SIGDEFAULT = 6


class OpenHow(NamedTuple):
    """What an OPEN action opens: a path and openat2(2)'s ``struct open_how``."""

    path: bytes
    flags: int = os.O_RDONLY
    mode: int = 0
    resolve: int = 0


class Action(NamedTuple):
    """One step of the child, run in order. Fields a type does not use must stay 0.

    The constructors below say which fields a type uses. Nothing is checked here:
    `agent_exec.template.validate` refuses a malformed action with the RFC's EINVAL.
    """

    type: int
    flags: int = 0
    fd: int = 0
    newfd: int = 0
    arg: OpenHow | frozenset[int] | None = None

    @classmethod
    def close(cls, fd: int) -> Action:
        """Close `fd`; closing one that is not open fails the launch."""
        return cls(ActionType.CLOSE, fd=fd)

    @classmethod
    def dup2(cls, fd: int, newfd: int, *, cloexec: bool = False) -> Action:
        """Make `newfd` a copy of `fd`.

        Equal numbers only check that it is open, and do not clear close-on-exec.
        """
        return cls(ActionType.DUP2, flags=os.O_CLOEXEC if cloexec else 0, fd=fd, newfd=newfd)

    @classmethod
    def fchdir(cls, fd: int) -> Action:
        """Work in the directory `fd`."""
        return cls(ActionType.FCHDIR, 0, fd)

    @classmethod
    def open(cls, newfd: int, how: OpenHow, *, dirfd: int = AT_FDCWD) -> Action:
        """Open `how.path` beneath `dirfd` and install it as `newfd`."""
        return cls(ActionType.OPEN, fd=dirfd, newfd=newfd, arg=how)

    @classmethod
    def close_range(cls, first: int, last: int = MAX_FD, *, flags: int = 0) -> Action:
        """Close the descriptors from `first` to `last`, both included."""
        return cls(ActionType.CLOSE_RANGE, flags=flags, fd=first, newfd=last)

    @classmethod
    def sigmask(cls, blocked: Iterable[int]) -> Action:
        """Block exactly these signals. SIGKILL and SIGSTOP are dropped silently."""
        return cls(ActionType.SIGMASK, arg=frozenset(int(signum) for signum in blocked))

    @classmethod
    def sigdefault(cls, signals: Iterable[int]) -> Action:
        """Give these signals their default action."""
        return cls(ActionType.SIGDEFAULT, arg=frozenset(int(signum) for signum in signals))
