"""Landlock's access rights, by the versions that know them, and what a rule set is made of.

Source:
    landlock(7); include/uapi/linux/landlock.h of Linux 6.18.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from typing import TypeAlias

Where: TypeAlias = tuple[int, int] | None
"""Device and inode of what a path names; None: nothing is there."""

_CREATE_RULESET = 444
_GET_VERSION = 1
_ATTRIBUTE = struct.Struct("=QQQ")
# struct rule and struct ax_place in _native/rule_set.[ch]
_RULE = struct.Struct("=QQ")
_PLACE = struct.Struct("=QQQ")
PLACE_SIZE = _PLACE.size

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
    import ctypes  # noqa: PLC0415 - takes its time, and most who import us do not ask

    number, nothing = ctypes.c_long(_CREATE_RULESET), ctypes.c_long(0)
    found: int = ctypes.CDLL(None).syscall(number, None, nothing, ctypes.c_long(_GET_VERSION))
    return max(found, 0)


def handled_fs(abi: int) -> int:
    """Every access to files that version `abi` can withhold."""
    return _FIRST_FS | sum(bit for since, bit in _LATER_FS if since <= abi)


def scoped(abi: int, *, network: bool, signal: bool) -> int:
    """What version `abi` keeps within a domain. As `attribute`."""
    if abi < SCOPE_SINCE:
        return 0
    return (0 if network else SCOPE_ABSTRACT_UNIX_SOCKET) | (0 if signal else SCOPE_SIGNAL)


def attribute(abi: int, *, network: bool, signal: bool) -> bytes:
    """Of a rule set that withholds all that version `abi` can.

    A kernel refuses a structure that is longer than it knows only if the rest is not zero.

    Args:
        abi: At least 1.
        network: Leave TCP as it is.
        signal: Let others than those of the same domain be signalled.
    """
    net = 0 if network or abi < NET_SINCE else BIND_TCP | CONNECT_TCP
    return _ATTRIBUTE.pack(handled_fs(abi), net, scoped(abi, network=network, signal=signal))


def rules(accesses: Mapping[str, int]) -> bytes:
    """As the C core takes them. Those of one mapping may stand behind those of another.

    Args:
        accesses: By path, absolute; of it all that is beneath, too.

    Raises:
        ValueError: There is a NUL in a path.
    """
    made = []
    for path, access in accesses.items():
        name = os.fsencode(path)
        if b"\0" in name:
            raise ValueError(f"a NUL in {path!r}")
        made.append(_RULE.pack(access, len(name)) + name + bytes(8 - len(name) % 8))
    return b"".join(made)


def places(paths: Iterable[str], found: bytes) -> dict[str, Where]:
    """What the paths of rules named, as the C core has told it."""
    return {
        path: (dev, ino) if there else None
        for path, (there, dev, ino) in zip(paths, _PLACE.iter_unpack(found), strict=True)
    }
