"""The border to the kernel of the `kernel` launcher: one function, which tests replace."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TypeAlias

SystemCall: TypeAlias = Callable[..., int]
"""``(number, *arguments) -> result``, or ``-errno``. Arguments are numbers; some are addresses."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def system_call(number: int, *arguments: int) -> int:
    """syscall(2), without the interpreter lock.

    Returns:
        int: What the call returned; ``-errno`` when it failed.
    """
    result: int = _LIBC.syscall(*[ctypes.c_long(word) for word in (number, *arguments)])
    return -ctypes.get_errno() if result == -1 else result


class Memory:
    """Bytes that the kernel reads and writes; they stay in place while this object is there."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[ctypes.Array[ctypes.c_char]] = []

    def place(self, content: bytes) -> int:
        """Put `content` here; its address, 8-byte aligned."""
        buffer = ctypes.create_string_buffer(content, max(len(content), 1))
        self._kept.append(buffer)
        address = ctypes.addressof(buffer)
        assert address % 8 == 0, "ctypes allocates as malloc(3) does"
        return address

    @staticmethod
    def read(address: int, size: int) -> bytes:
        """What is at `address` now."""
        return ctypes.string_at(address, size)
