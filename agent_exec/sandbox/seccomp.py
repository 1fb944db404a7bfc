"""The seccomp filter of a child: what Landlock cannot withhold from it.

Pure; whether there are filters here, `agent_exec.sandbox.filters` asks the kernel.
"""

from __future__ import annotations

import errno
from typing import Final

from agent_exec.model.confinement import Filter
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
from agent_exec.sandbox.filters import Withheld
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


_PASS: Code = (answer(ALLOW),)


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
        if not covers(withheld, refusal.when):
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


def covers(withheld: Withheld, when: When) -> bool:
    """Are calls of this kind refused?"""
    match when:
        case When.ALWAYS:
            return True
        case When.NO_WRITE:
            return withheld.write
        case When.NO_WRITE_OLD:
            return withheld.write and withheld.landlock < _FIRST_LANDLOCK_TRUNCATE
        case When.NO_NETWORK:
            return withheld.network
        case When.ONLY_READS:
            return withheld.write and withheld.network


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
