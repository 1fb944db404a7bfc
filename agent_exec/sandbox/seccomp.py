"""The seccomp filter of a child: what Landlock cannot withhold from it.

`build` is pure; `why_no_filter` alone asks the kernel.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from agent_exec.model.confinement import Filter
from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox.bpf import (
    ALLOW,
    KILL_PROCESS,
    Code,
    answer,
    encode,
    error,
    if_any_bit,
    if_at_least,
    if_equal,
    load,
    mask,
    search,
)
from agent_exec.sandbox.syscalls import (
    FILE_SYSTEMS,
    HIGHEST,
    READING,
    REFUSALS,
    REQUESTS,
    Refusal,
    Unless,
    When,
)

_NUMBER = 0  # offsets into struct seccomp_data
_ARCHITECTURE = 4
_ARGUMENTS = 16

# AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW*, but for CLONE_NEWTIME, which clone cannot be given
# CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
_UNSHARED = 0x00000100 | 0x00000200 | 0x00000400 | 0x00000800 | 0x00010000 | 0x00040000
_WORD = 0xFFFFFFFF
_O_TRUNC = 0x200
_F_SETLEASE, _F_SETDELEG = 1024, 1040
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1
_REQUEST_TYPE = 0xFF00
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCKET_TYPES, _SOCK_STREAM, _SOCK_SEQPACKET = 0xF, 1, 5
_FIRST_LANDLOCK_TRUNCATE = 3


_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_GET_ACTION_AVAIL = 2

_PASS: Code = (answer(ALLOW),)


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

    def covers(self, when: When) -> bool:
        """Whether calls of this kind are refused."""
        match when:
            case When.ALWAYS:
                return True
            case When.NO_WRITE:
                return self.write
            case When.NO_WRITE_OLD:
                return self.write and self.landlock < _FIRST_LANDLOCK_TRUNCATE
            case When.NO_NETWORK:
                return self.network
            case When.ONLY_READS:
                return self.write and self.network


def build(withheld: Withheld, secret: tuple[int, int] | None, machine: str) -> Filter:
    """The filter for children from whom this is withheld.

    Args:
        secret: Two words of 64 bits, not 0. None: nobody has any, calls that need one are
            refused to all.
        machine: As ``uname -m`` calls it.

    Raises:
        KeyError: No filter can be made for `machine`.
    """
    segments: dict[int, Code] = {0: _PASS, HIGHEST + 1: (answer(error(errno.ENOSYS)),)}
    for refusal in REFUSALS:
        if not withheld.covers(refusal.when):
            continue
        for call in refusal.calls:
            number = call.number(machine)
            if number is not None and number <= HIGHEST:
                segments[number] = _code_of(refusal, withheld, secret)
                segments.setdefault(number + 1, _PASS)
    by_number = _merge(sorted(segments.items()))
    program: Code = (load(_NUMBER), *search(by_number))
    if machine == "x86_64":
        # A call of x32 has a number of its own, and the architecture of all others.
        x32 = (answer(error(errno.ENOSYS)),)
        program = (load(_NUMBER), *if_at_least(_X32, x32, search(by_number)))
    foreign = (answer(KILL_PROCESS),)
    return Filter(
        encode((load(_ARCHITECTURE), *if_equal(_ARCHITECTURES[machine], program, foreign))),
        secret or (0, 0),
    )


def why_no_filter() -> str | None:
    """Why seccomp filters cannot be had here; None when they can."""
    if sys.platform != "linux":
        return "seccomp is a part of Linux"
    machine = os.uname().machine
    if machine not in _ARCHITECTURES or sys.maxsize < 2**32:
        return f"no filter is known for {machine}"
    import ctypes  # noqa: PLC0415 - asked once a process at most

    kill = ctypes.c_uint32(KILL_PROCESS)
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(_SECCOMP[machine])
    if libc.syscall(number, _GET_ACTION_AVAIL, 0, ctypes.byref(kill)) != 0:
        return os.strerror(ctypes.get_errno())
    return None


class FilterMaker:
    """Makes filters. Equal questions get the same one: its children have the same spawners."""

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
            made = self._inside.setdefault(withheld, build(withheld, None, self._machine))
        return made


def filter_maker() -> FilterMaker | None:
    """One for this machine; None where there are no filters."""
    return FilterMaker(os.uname().machine) if why_no_filter() is None else None


def _merge(segments: list[tuple[int, Code]]) -> list[tuple[int, Code]]:
    """Without those that go on as the one before."""
    return [
        segment
        for index, segment in enumerate(segments)
        if index == 0 or segment[1] != segments[index - 1][1]
    ]


def _low(index: int) -> int:
    """Where the low word of an argument is, on a little-endian machine."""
    return _ARGUMENTS + 8 * index


def _high(index: int) -> int:
    return _low(index) + 4


def _code_of(refusal: Refusal, withheld: Withheld, secret: tuple[int, int] | None) -> Code:
    refuse: Code = (answer(error(refusal.errno)),)
    match refusal.unless:
        case Unless.NEVER:
            return refuse
        case Unless.SECRET_AT_2:
            return _if_secret(2, secret, refuse)
        case Unless.SECRET_AT_3:
            return _if_secret(3, secret, refuse)
        case Unless.SECRET_AT_4:
            return _if_secret(4, secret, refuse)
        case Unless.NO_NEW_NAMESPACE:
            return (load(_low(0)), *if_any_bit(_NEW_NAMESPACES, refuse, _PASS))
        case Unless.ONLY_UNSHARES:
            low: Code = (load(_low(0)), *if_any_bit(_WORD & ~_UNSHARED, refuse, _PASS))
            return (load(_high(0)), *if_equal(0, low, refuse))
        case Unless.OWN_PROCESS:
            return (load(_low(0)), *if_equal(0, _PASS, refuse))
        case Unless.OWN_PRIORITY:
            return _if_own(_PRIO_PROCESS, refuse)
        case Unless.OWN_IO_PRIORITY:
            return _if_own(_IOPRIO_WHO_PROCESS, refuse)
        case Unless.NO_LEASE:
            return (
                load(_low(1)),
                *if_equal(_F_SETLEASE, refuse, if_equal(_F_SETDELEG, refuse, _PASS)),
            )
        case Unless.OWN_OR_READING:
            return (load(_low(0)), *if_equal(0, _PASS, _if_equal_64(2, 0, _PASS, refuse)))
        case Unless.HARMLESS_REQUEST:
            return _unless_requested(withheld, refuse)
        case Unless.NO_TRUNCATION_AT_1:
            return (load(_low(1)), *if_any_bit(_O_TRUNC, refuse, _PASS))
        case Unless.NO_TRUNCATION_AT_2:
            return (load(_low(2)), *if_any_bit(_O_TRUNC, refuse, _PASS))
        case Unless.OWN_NETWORK:
            return _PASS if withheld.own_network else refuse
        case Unless.OWN_INTERNET:
            inet = if_equal(_AF_INET, _PASS, if_equal(_AF_INET6, _PASS, refuse))
            return (load(_low(0)), *inet) if withheld.own_network else refuse
        case Unless.UNNAMED_PAIR:
            stream = if_equal(_SOCK_STREAM, _PASS, if_equal(_SOCK_SEQPACKET, _PASS, refuse))
            unix: Code = (load(_low(1)), mask(_SOCKET_TYPES), *stream)
            return (load(_low(0)), *if_equal(_AF_UNIX, unix, refuse))


def _if_equal_64(index: int, value: int, then: Code, otherwise: Code) -> Code:
    low: Code = (load(_low(index)), *if_equal(value & _WORD, then, otherwise))
    return (load(_high(index)), *if_equal(value >> 32, low, otherwise))


def _if_secret(index: int, secret: tuple[int, int] | None, refuse: Code) -> Code:
    if secret is None:
        return refuse
    return _if_equal_64(index, secret[0], _if_equal_64(index + 1, secret[1], _PASS, refuse), refuse)


def _if_own(kind: int, refuse: Code) -> Code:
    """Of the one process that calls: the first argument says of what, the second of which."""
    return (
        load(_low(0)),
        *if_equal(kind, (load(_low(1)), *if_equal(0, _PASS, refuse)), refuse),
    )


def _unless_requested(withheld: Withheld, refuse: Code) -> Code:
    code = _PASS
    if withheld.write:
        for kind in FILE_SYSTEMS.values():
            code = if_equal(kind << 8, refuse, code)
        code = (mask(_REQUEST_TYPE), *code)
        for request in READING:
            code = if_equal(request.number, _PASS, code)
    for request in REQUESTS:
        code = if_equal(request.number, refuse, code)
    return (load(_low(1)), *code)


def _random() -> int:
    return int.from_bytes(os.urandom(8), "little")
