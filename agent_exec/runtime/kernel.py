"""What the kernel lets us do, found out by asking it and not by its release.

A container's filter, or an emulator, may refuse what the release promises.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass

# The same on x86-64 and arm64, as is every number above 423.
_CLONE3 = 435
_CLOSE_RANGE = 436
_PIDFD_GETFD = 438
_EXECVEAT = {"x86_64": 322, "aarch64": 281}
_AT_EMPTY_PATH = 0x1000
_AT_EXECVE_CHECK = 0x10000
# No descriptor can have this number.
_NO_FD = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that was asked for."""

    name: str
    error: int
    """0 when it works, else what the kernel answered."""
    without: str
    """What follows where it does not work."""


def probe_features() -> tuple[Feature, ...]:
    """Ask for each feature that launching makes use of; empty where there is no Linux.

    Changes nothing in this process, and starts none.
    """
    if sys.platform != "linux":
        return ()
    return (
        Feature("clone3", _ask_clone3(), "clone is used, and a call has no cgroup of its own"),
        Feature("close_range", _ask_close_range(), "the vfork launcher cannot start a child"),
        Feature("pidfd_open", _ask_pidfd_open(), "what a call leaves behind cannot be killed"),
        Feature("pidfd_getfd", _ask_pidfd_getfd(), "the engine shares the host's descriptors"),
        Feature(
            "AT_EXECVE_CHECK",
            _ask_execve_check(),
            "a program that is being written is noticed by its launch",
        ),
    )


def _ask_clone3() -> int:
    # With a size of 0 there is nothing that it could start: clone3(2), EINVAL.
    return _unless(errno.EINVAL, _call(_CLONE3, None, ctypes.c_size_t(0)))


def _ask_close_range() -> int:
    return _call(_CLOSE_RANGE, ctypes.c_uint(_NO_FD), ctypes.c_uint(_NO_FD), ctypes.c_uint(0))


def _ask_pidfd_open() -> int:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _ask_pidfd_getfd() -> int:
    with ExitStack() as opened:
        try:
            pidfd = os.pidfd_open(os.getpid())
        except OSError as error:
            return error.errno or errno.EIO
        opened.callback(os.close, pidfd)
        libc = ctypes.CDLL(None, use_errno=True)
        copy = libc.syscall(ctypes.c_long(_PIDFD_GETFD), pidfd, pidfd, ctypes.c_uint(0))
        if copy < 0:
            return ctypes.get_errno()
        os.close(copy)
    return 0


def _ask_execve_check() -> int:
    """Ask of a directory, so that nothing is executed by one who ignores the flag.

    Source:
        execveat(2): EINVAL for a flag that is not known, EACCES for no regular file.
    """
    number = _EXECVEAT.get(os.uname().machine)
    if number is None:
        return errno.ENOSYS
    folder = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        nothing = (ctypes.c_char_p * 1)(None)
        flags = _AT_EMPTY_PATH | _AT_EXECVE_CHECK
        answer = _call(number, folder, b"", nothing, nothing, flags)
    finally:
        os.close(folder)
    return _unless(errno.EACCES, answer)


def _call(number: int, *arguments: object) -> int:
    """0, or the errno of a system call."""
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.syscall(ctypes.c_long(number), *arguments) >= 0 else ctypes.get_errno()


def _unless(expected: int, error: int) -> int:
    return 0 if error == expected else error or errno.EIO
