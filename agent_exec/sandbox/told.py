"""What the first process of a bubblewrap has told of its program.

Source:
    `agent_exec/_native/inside.c`, enum kind and struct told.
"""

from __future__ import annotations

import os
import struct

from agent_exec.named_tuple import NamedTuple

_RECORD = struct.Struct("=iii")
_BEGUN, _FAILED, _ENDED = 1, 2, 3


class Told(NamedTuple):
    """How far it came."""

    begun: bool = False
    """Did the place stand, with everything that confines the program?"""
    failed: tuple[int, int] | None = None
    """Step, as the C core numbers them, and errno: the program was not executed."""
    status: int | None = None
    """Of the program, as wait(2) has it; None: it was ended with all the rest."""


def read_told(path: str) -> Told:
    """What a file says. Nothing, where it is not there or makes no sense."""
    try:
        with open(path, "rb") as file:
            return told(file.read())
    except OSError:
        return Told()


def told(records: bytes) -> Told:
    """The same of its content. Never raises."""
    found = Told()
    whole = len(records) // _RECORD.size * _RECORD.size
    for kind, first, second in _RECORD.iter_unpack(records[:whole]):
        if kind == _BEGUN:
            found = found._replace(begun=True)
        elif kind == _FAILED and found.failed is None:
            found = found._replace(failed=(first, second))
        elif kind == _ENDED and (os.WIFEXITED(first) or os.WIFSIGNALED(first)):
            found = found._replace(status=first)
    return found
