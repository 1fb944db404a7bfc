"""The bytes of the two system calls of the `spawn_template` RFC (v1). Pure.

Structures hold addresses. So every encoder that needs one is given `place`: it puts bytes
somewhere where the kernel will read them, and tells the address.

Source:
    include/uapi/linux/spawn_template.h of the RFC.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from agent_exec.model.action import Action, OpenHow
from agent_exec.named_tuple import NamedTuple

CREATE = 472
"""spawn_template_create(args, size): a template's descriptor, or -errno."""
SPAWN = 473
"""spawn_template_spawn(template, args, size): a pid, or -errno."""
LINK = b"anon_inode:spawn_template"
"""What the link of a template's descriptor in /proc reads. The numbers are not reserved: a
descriptor with any other link was made by another call."""

CREATE_CLOEXEC = 1
SPAWN_INHERIT_FDS = 1
CREATE_SIZE = 72
SPAWN_SIZE = 80
ACTION_SIZE = 24
SIGSET_SIZE = 8
"""Of the kernel's signal sets. That of libc, 128, fails in the child."""

SIGINFO_SIZE = 128

# The fields flags, execfd, exec_flags, filename, actions, actions_len, and four reserved.
_CREATE = struct.Struct("=QiI7Q")
# The fields flags, pidfd, argv, envp, actions, actions_len, and four reserved.
_SPAWN = struct.Struct("=10Q")
# The fields type, flags, fd, newfd, arg.
_ACTION = struct.Struct("=IIiiQ")
# The path, and flags, mode, resolve of openat2(2).
_OPEN = struct.Struct("=4Q")
# The set's address and size.
_SIGSET = struct.Struct("=2Q")
# Of a SIGCHLD: signal, errno, code, padding, pid, user, status.
_SIGINFO = struct.Struct("=iiiiiIi")

Place: TypeAlias = Callable[[bytes], int]
"""Puts bytes into memory, 8-byte aligned, and returns the address."""


class Calls(NamedTuple):
    """Numbers of the other calls that a client makes, on one architecture."""

    close: int
    readlinkat: int
    waitid: int


CALLS = {"x86_64": Calls(3, 267, 247), "aarch64": Calls(57, 78, 95)}
"""By what uname(2) says. The RFC's calls are not used on any other."""


class Ended(NamedTuple):
    """What waitid(2) says of a child that has ended; `pid` 0: none has."""

    pid: int
    code: int
    status: int


def create_args(*, filename: int = 0, execfd: int = -1, flags: int = CREATE_CLOEXEC) -> bytes:
    """``struct spawn_template_create_args``: of a path, or of a descriptor.

    The source that is not used is 0, or a negative number; all else there must be 0.
    """
    return _CREATE.pack(flags, execfd, 0, filename, *(0,) * 6)


def spawn_args(
    *,
    pidfd: int,
    argv: int,
    envp: int,
    actions: int = 0,
    actions_len: int = 0,
    flags: int = 0,
) -> bytes:
    """``struct spawn_template_spawn_args``; `pidfd` is where the kernel stores one, an int."""
    return _SPAWN.pack(flags, pidfd, argv, envp, actions, actions_len, *(0,) * 4)


def words(of: Sequence[bytes], place: Place) -> bytes:
    """``char *const []``: the addresses of the words, and a null pointer."""
    addresses = [place(word + b"\0") for word in of]
    return struct.pack(f"={len(of) + 1}Q", *addresses, 0)


def actions(of: Iterable[Action], place: Place) -> bytes:
    """An array of ``struct spawn_template_action``."""
    return b"".join([_action(one, place) for one in of])


def _action(action: Action, place: Place) -> bytes:
    type_, flags, fd, newfd, arg = action
    address = 0
    if isinstance(arg, OpenHow):
        address = place(_OPEN.pack(place(arg.path + b"\0"), arg.flags, arg.mode, arg.resolve))
    elif arg is not None:
        address = place(_SIGSET.pack(place(sigset(arg)), SIGSET_SIZE))
    return _ACTION.pack(type_, flags, fd, newfd, address)


def sigset(signals: Iterable[int]) -> bytes:
    """A signal set of the kernel: bit n - 1 for signal n."""
    return sum(1 << (signum - 1) for signum in signals).to_bytes(SIGSET_SIZE, sys.byteorder)


def read_siginfo(data: bytes) -> Ended:
    """What waitid(2) has written."""
    _, _, code, _, pid, _, status = _SIGINFO.unpack_from(data)
    return Ended(pid, code, status)
