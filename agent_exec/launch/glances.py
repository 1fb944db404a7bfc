"""Questions to the file system that the C core asks again, all at once."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import partial

from agent_exec.launch.native import still_so

# struct glance in _native/glances.c
_HEADER = struct.Struct("=IIII6q")
_NUMBERS = 6
Question = tuple[int, str, "str | int | tuple[int, ...] | None"]
"""What is asked (`agent_exec.policy.eyes.Sight`), the path, and the answer that it had."""


def asker(questions: tuple[Question, ...]) -> Callable[[], bool]:
    """What tells whether every question has the same answer now.

    Raises:
        ValueError: There is a NUL in a path.
        OverflowError, struct.error: An answer is no number of a file.
    """
    return partial(still_so, b"".join([_packed(*question) for question in questions]))


def _packed(sight: int, path: str, answer: str | int | tuple[int, ...] | None) -> bytes:
    name = os.fsencode(path)
    target = os.fsencode(answer) if isinstance(answer, str) else b""
    if b"\0" in name:
        raise ValueError(f"a NUL in {path!r}")
    numbers: tuple[int, ...] = ()
    if isinstance(answer, int):
        numbers = (answer,)
    elif isinstance(answer, tuple):
        numbers = tuple([_signed(number) for number in answer])
    numbers += (0,) * (_NUMBERS - len(numbers))
    header = _HEADER.pack(sight, answer is not None, len(name), len(target), *numbers)
    text = b"%b\0%b\0" % (name, target)
    return header + text + bytes(-len(text) % 8)


def _signed(number: int) -> int:
    """Numbers of devices and files may have the highest bit."""
    return number - (1 << 64) if number >= 1 << 63 else number
