"""Is a file a program that this machine's kernel can load?

Only the header is looked at: what the loader finds later (a missing interpreter, a
truncated segment) is an error of the launch.
"""

from __future__ import annotations

import os
import struct
import sys

from agent_exec.named_tuple import NamedTuple

HEADER_SIZE = 64
"""Bytes of a 64-bit ELF header; fewer is no program."""

_MAGIC = b"\x7fELF"
_CLASS_64 = 2
_BYTE_ORDER = {"little": 1, "big": 2}[sys.byteorder]
_EXECUTABLE_TYPES = (2, 3)  # ET_EXEC, ET_DYN
# The magic numbers of <mach-o/loader.h> and <mach-o/fat.h>, in a file of this machine.
_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
# e_machine of elf(5), by what uname(2) says.
_MACHINES = {"x86_64": 62, "aarch64": 183, "arm64": 183, "riscv64": 243, "ppc64le": 21, "s390x": 22}


class Format(NamedTuple):
    """What the first bytes of a file say that it is."""

    script: bool
    problem: str
    """Why it cannot be executed; empty when it can."""


def look_at(header: bytes, system: str = sys.platform) -> Format:
    """Judge a file by its first `HEADER_SIZE` bytes (fewer when it is shorter).

    Of a Mach-O file, on macOS, only the magic number is looked at.

    Source:
        elf(5); Mach-O(5); execve(2) for ``#!``.
    """
    if header.startswith(b"#!"):
        return Format(script=True, problem="")
    if not header:
        return Format(script=False, problem="the file is empty")
    if system == "darwin":
        known = header.startswith(_MACH_O)
        return Format(script=False, problem="" if known else "neither Mach-O nor a script with #!")
    return Format(script=False, problem=_elf_problem(header))


def _elf_problem(header: bytes) -> str:
    if not header.startswith(_MAGIC):
        return "neither an ELF program nor a script with #!"
    if len(header) < HEADER_SIZE:
        return "the ELF header is cut short"
    if header[4] != _CLASS_64:
        return "not a 64-bit program"
    if header[5] != _BYTE_ORDER:
        return "a program for the other byte order"
    kind, machine = struct.unpack_from("=HH", header, 16)
    if kind not in _EXECUTABLE_TYPES:
        return "an ELF file that is not a program"
    expected = _MACHINES.get(os.uname().machine)
    if expected is not None and machine != expected:
        return f"a program for another machine (e_machine {machine})"
    return ""
