"""Values of the wrong type or size, refused in words that say what to give instead."""

from __future__ import annotations

import math
import os
import reprlib
from enum import StrEnum
from typing import TypeVar

from agent_exec.errors import InvalidCall

_Choice = TypeVar("_Choice", bound=StrEnum)

# The C core counts in 64 bits and takes this many calls at once (AX_MOST_ACTIVE).
MOST_BYTES = 2**63 - 1
MOST_CALLS = 1 << 16


def wrong(name: str, value: object, wanted: str) -> InvalidCall:
    """The exception for a `value` that is not what `name` has to be."""
    return InvalidCall(f"{name} is {reprlib.repr(value)}; it has to be {wanted}")


def whole_number(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """`value`, a whole number from `least` to `most`.

    Raises:
        InvalidCall: It is none. True and False are not taken for 1 and 0.
    """
    highest = math.inf if most is None else most
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= highest:
        return value
    to = "on" if most is None else f"to {most}"
    raise wrong(name, value, f"a whole number from {least} {to}")


def duration(name: str, value: object) -> float:
    """`value`, a number of seconds above 0; infinity too.

    Raises:
        InvalidCall: It is none.
    """
    number = _real(value)
    if number is not None and number > 0:
        return number
    raise wrong(name, value, "a number of seconds above 0 (inf for no limit)")


def delay(name: str, value: object, *, most: float) -> float:
    """`value`, a number of seconds from 0 to `most`.

    Raises:
        InvalidCall: It is none.
    """
    number = _real(value)
    if number is not None and 0 <= number <= most:
        return number
    raise wrong(name, value, f"a number of seconds from 0 to {most:g}")


def choice(name: str, value: object, kind: type[_Choice]) -> _Choice:
    """The member of `kind` that `value` is, or is the name of.

    Raises:
        InvalidCall: There is none.
    """
    for member in kind:
        if isinstance(value, str) and value == member:
            return member
    raise wrong(name, value, " or ".join(repr(member.value) for member in kind))


def path(name: str, value: object) -> str:
    """`value`, a path that is not empty, as text.

    Raises:
        InvalidCall: It is none, or holds a NUL.
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(text, str) and text and "\0" not in text:
        return text
    raise wrong(name, value, "a path, as text that is not empty")


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
