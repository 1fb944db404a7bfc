"""The seccomp filters of this machine's children: whether there are any, and one of a kind.

`agent_exec.sandbox.seccomp` says what a filter consists of.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from agent_exec.model.confinement import Filter
from agent_exec.named_tuple import NamedTuple

_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_GET_ACTION_AVAIL = 2
_KILL_PROCESS = 0x80000000  # SECCOMP_RET_KILL_PROCESS


class Withheld(NamedTuple):
    """What a filter is made from."""

    write: bool
    """It may not change files."""
    network: bool
    """It may have no socket but a pair."""
    landlock: int
    """The ABI of Landlock that holds the child besides; 0 for none."""
    own_network: bool = False
    """Its network namespace is one of its own: what is withheld is to leave it."""


def why_no_filter() -> str | None:
    """Why seccomp filters cannot be had here; None when they can."""
    if sys.platform != "linux":
        return "seccomp is a part of Linux"
    machine = os.uname().machine
    if machine not in _SECCOMP or sys.maxsize < 2**32:
        return f"no filter is known for {machine}"
    import ctypes  # noqa: PLC0415 - asked once a process at most

    kill = ctypes.c_uint32(_KILL_PROCESS)
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(_SECCOMP[machine])
    if libc.syscall(number, _GET_ACTION_AVAIL, 0, ctypes.byref(kill)) != 0:
        return os.strerror(ctypes.get_errno())
    return None


class FilterMaker:
    """Makes filters. Equal questions get the same one: its children have the same spawners.

    What they consist of is imported with the first of them: who only judges makes none.
    """

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._made: dict[Withheld, Filter] = {}
        self._inside: dict[Withheld, Filter] = {}

    def __call__(self, write: bool, network: bool, landlock: int) -> Filter:
        """The filter for a child that may write, or has the network, or neither.

        Args:
            landlock: The ABI of Landlock that holds it besides; 0 for none.
        """
        withheld = Withheld(write=not write, network=not network, landlock=landlock)
        made = self._made.get(withheld)
        if made is None:
            from agent_exec.sandbox.seccomp import build  # noqa: PLC0415 - as above

            # Not by `secrets`, which imports much. A number is never 0.
            secret = (_random() or 1, _random() or 1)
            # Another thread may have been quicker.
            made = self._made.setdefault(withheld, build(withheld, secret, self._machine))
        return made

    def inside(self, write: bool, network: bool, landlock: int) -> Filter:
        """The filter for a child that puts it on itself, where its namespaces have been made.

        There it may be read by everybody, so it holds no secret. A child without the network
        has one of its own.
        """
        withheld = Withheld(
            write=not write, network=not network, landlock=landlock, own_network=not network
        )
        made = self._inside.get(withheld)
        if made is None:
            from agent_exec.sandbox.seccomp import build  # noqa: PLC0415 - as above

            made = self._inside.setdefault(withheld, build(withheld, None, self._machine))
        return made


def filter_maker() -> FilterMaker | None:
    """One for this machine; None where there are no filters."""
    return FilterMaker(os.uname().machine) if why_no_filter() is None else None


def _random() -> int:
    return int.from_bytes(os.urandom(8), "little")
