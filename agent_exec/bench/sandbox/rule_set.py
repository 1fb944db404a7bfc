"""A rule set of Landlock such as a call that only reads gets."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from agent_exec.errors import Unsupported

_CREATE_RULESET, _ADD_RULE, _PATH_BENEATH = 444, 445, 1
# Every access of the first version; to execute, and to read files and directories.
_ALL, _READING = 0x1FFF, 0x000D
_PLACES = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev")


@contextmanager
def reading(*folders: str) -> Iterator[int]:
    """The descriptor of one that lets `folders` and those of the system be read and executed.

    Raises:
        Unsupported: This machine has no Landlock.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    attribute = struct.pack("=Q", _ALL)
    made = libc.syscall(_CREATE_RULESET, attribute, ctypes.c_size_t(len(attribute)), 0)
    if made < 0:
        raise Unsupported(f"Landlock: {os.strerror(ctypes.get_errno())}")
    try:
        for place in (*_PLACES, *folders):
            if not os.path.isdir(place):
                continue
            fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", _READING, fd)
            error = libc.syscall(_ADD_RULE, made, _PATH_BENEATH, rule, 0)
            os.close(fd)
            if error:
                raise Unsupported(f"Landlock: {os.strerror(ctypes.get_errno())}")
        yield made
    finally:
        os.close(made)
