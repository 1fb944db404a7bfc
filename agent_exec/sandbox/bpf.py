"""Classic BPF, as seccomp(2) takes it: instructions, and a search by number.

Pure. Only what the filters of `seccomp` need.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeAlias

from agent_exec.named_tuple import NamedTuple

MOST_INSTRUCTIONS = 4096
"""BPF_MAXINSNS."""
_FARTHEST = 255

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000


class Instruction(NamedTuple):
    """One ``struct sock_filter``."""

    code: int
    if_true: int = 0
    if_false: int = 0
    k: int = 0

    def encode(self) -> bytes:
        """Its 8 bytes, on a little-endian machine."""
        return struct.pack("<HBBI", *self)


Code: TypeAlias = tuple[Instruction, ...]
"""Ends in a return on every way through it."""


def load(offset: int) -> Instruction:
    """A word of ``struct seccomp_data``."""
    return Instruction(_LOAD, k=offset)


def mask(bits: int) -> Instruction:
    """Keep only these bits of what was loaded."""
    return Instruction(_AND, k=bits)


def answer(action: int) -> Instruction:
    """End with `ALLOW`, `KILL_PROCESS` or `error`."""
    return Instruction(_RETURN, k=action)


def error(number: int) -> int:
    """The action that fails the call with this errno."""
    return _ERRNO | number


def if_equal(value: int, then: Code, otherwise: Code) -> Code:
    """Go on with `then` where the loaded word is `value`."""
    return _branch(_IF_EQUAL, value, then, otherwise)


def if_any_bit(bits: int, then: Code, otherwise: Code) -> Code:
    """Go on with `then` where the loaded word has one of the bits."""
    return _branch(_IF_ANY_BIT, bits, then, otherwise)


def if_at_least(value: int, then: Code, otherwise: Code) -> Code:
    """Go on with `then` where the loaded word is `value` or more, unsigned."""
    return _branch(_IF_AT_LEAST, value, then, otherwise)


def search(segments: Sequence[tuple[int, Code]]) -> Code:
    """Choose by the loaded word in as few comparisons as there can be.

    Args:
        segments: (first number, code) ascending, the first from 0; each goes to the next.
    """
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    return if_at_least(segments[middle][0], search(segments[middle:]), search(segments[:middle]))


def encode(code: Code) -> bytes:
    """The array that seccomp(2) is given."""
    assert len(code) <= MOST_INSTRUCTIONS
    return b"".join(instruction.encode() for instruction in code)


def _branch(test: int, value: int, then: Code, otherwise: Code) -> Code:
    if len(otherwise) <= _FARTHEST:
        return (Instruction(test, len(otherwise), 0, value), *otherwise, *then)
    far = Instruction(_JUMP, k=len(otherwise))
    return (Instruction(test, 0, 1, value), far, *otherwise, *then)
