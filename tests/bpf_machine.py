"""The kernel's side of a seccomp filter: an interpreter of classic BPF, for any machine."""

from __future__ import annotations

import struct
from collections.abc import Sequence

LD, ALU_AND, JA, JEQ, JGE, JSET, RET = 0x20, 0x54, 0x05, 0x15, 0x35, 0x45, 0x06


def seccomp_data(number: int, architecture: int, arguments: Sequence[int] = ()) -> bytes:
    """``struct seccomp_data`` of a little-endian machine."""
    words = [word % 2**64 for word in arguments] + [0] * (6 - len(arguments))
    return struct.pack("<IIQ6Q", number % 2**32, architecture, 0x400000, *words)


def run(program: bytes, data: bytes) -> int:
    """What the filter says of a call. Refuses what the kernel would: jumps out, odd loads."""
    code = list(struct.iter_unpack("<HBBI", program))
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, k = code[at]
        at += 1
        if operation == RET:
            return k
        if operation == LD:
            assert k % 4 == 0
            assert k + 4 <= len(data)
            (loaded,) = struct.unpack_from("<I", data, k)
        elif operation == ALU_AND:
            loaded &= k
        elif operation == JA:
            at += k
        else:
            truth = {JEQ: loaded == k, JGE: loaded >= k, JSET: loaded & k != 0}[operation]
            at += if_true if truth else if_false
