"""Landlock's system calls, and the access rights that each version of it knows.

Source:
    landlock(7); include/uapi/linux/landlock.h of Linux 6.18.
"""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE_RULESET = 444
_ADD_RULE = 445
_GET_VERSION = 1
_PATH_BENEATH = 1
_O_PATH = 0o10000000
_OPENAT2 = 437
_RESOLVE_NO_SYMLINKS = 0x04
_AT_FDCWD = -100
_RULESET = struct.Struct("=QQQ")
_BENEATH = struct.Struct("=Qi")
_HOW = struct.Struct("=QQQ")
_LIBC = ctypes.CDLL(None, use_errno=True)

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
REMOVE_DIR = 1 << 4
REMOVE_FILE = 1 << 5
MAKE_CHAR = 1 << 6
MAKE_DIR = 1 << 7
MAKE_REG = 1 << 8
MAKE_SOCK = 1 << 9
MAKE_FIFO = 1 << 10
MAKE_BLOCK = 1 << 11
MAKE_SYM = 1 << 12
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15

BIND_TCP = 1 << 0
CONNECT_TCP = 1 << 1

SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0
SCOPE_SIGNAL = 1 << 1

OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""What may be said of a file; the rest is about what a directory holds."""
READING = READ_FILE | READ_DIR
REMOVING = REMOVE_DIR | REMOVE_FILE | REFER
MAKING = MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
"""No device files: they are a way to what lies behind them."""
WRITING = WRITE_FILE | TRUNCATE | MAKING | REMOVING

# The highest bit of a first version; what was added later, by the version.
_FIRST_FS = MAKE_SYM * 2 - 1
_LATER_FS = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
NET_SINCE = 4
SCOPE_SINCE = 6


def version() -> int:
    """The version of Landlock that the kernel has; 0: none, or it is not enabled."""
    if not hasattr(os, "pidfd_open"):  # no Linux: the number could be another call's
        return 0
    return max(_syscall(_CREATE_RULESET, None, 0, _GET_VERSION), 0)


def handled_fs(abi: int) -> int:
    """Every access to files that version `abi` can withhold."""
    return _FIRST_FS | sum(bit for since, bit in _LATER_FS if since <= abi)


def scoped(abi: int, *, network: bool, signal: bool) -> int:
    """What version `abi` keeps within a domain. As `create`."""
    if abi < SCOPE_SINCE:
        return 0
    return (0 if network else SCOPE_ABSTRACT_UNIX_SOCKET) | (0 if signal else SCOPE_SIGNAL)


def create(abi: int, *, network: bool, signal: bool) -> int:
    """A rule set that withholds all that version `abi` can; its descriptor is close-on-exec.

    Args:
        abi: At least 1.
        network: Leave TCP as it is.
        signal: Let others than those of the same domain be signalled.

    Raises:
        OSError: EMFILE, ENFILE, ENOMEM; EOPNOTSUPP where it is not enabled.
    """
    net = 0 if network or abi < NET_SINCE else BIND_TCP | CONNECT_TCP
    scopes = scoped(abi, network=network, signal=signal)
    attribute = _RULESET.pack(handled_fs(abi), net, scopes)
    # A kernel refuses a structure that is longer than it knows only if the rest is not zero.
    return _checked(_syscall(_CREATE_RULESET, attribute, len(attribute), 0))


def allow(rule_set: int, fd: int, access: int) -> None:
    """Give `access` to the file or directory `fd`, and to all that is beneath it.

    Raises:
        OSError: ENOMEM; EINVAL for an access that the rule set does not withhold.
    """
    _checked(_syscall(_ADD_RULE, rule_set, _PATH_BENEATH, _BENEATH.pack(access, fd), 0))


def open_path(path: str) -> int:
    """A descriptor that stands for `path`, in which no link is followed.

    Raises:
        OSError: ENOENT, ENOTDIR, EACCES; ELOOP: there is a link in it; EMFILE, ENFILE, ENOMEM.
    """
    how = _HOW.pack(_O_PATH | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
    return _checked(_syscall(_OPENAT2, _AT_FDCWD, os.fsencode(path) + b"\0", how, len(how)))


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    """The result, or -errno."""
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    # An int is what the function gives; no call here has a result that is longer.
    result: int = _LIBC.syscall(ctypes.c_long(number), *words)
    return -ctypes.get_errno() if result < 0 else result


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
