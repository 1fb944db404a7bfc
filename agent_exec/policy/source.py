"""The content of one policy file, and where in the file each part of it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_exec.named_tuple import NamedTuple

Location = tuple[str | int, ...]
"""Keys and indices, from the top."""


class Source(NamedTuple):
    """One file, checked by `agent_exec.policy.file`."""

    name: str
    """A shipped name, or the absolute path."""
    content: Mapping[str, Any]
    marks: Mapping[Location, tuple[int, int]]
    """Line and column, from 1, of what is in the file; empty for one that is shipped."""
    shown: str
    """The name in messages."""

    def where(self, *at: str | int) -> str:
        """``FILE:LINE:COLUMN`` of a part, or of what it is missing in."""
        return place(self.shown, self.marks, at)


def place(name: str, marks: Mapping[Location, tuple[int, int]], at: Location) -> str:
    """See `Source.where`."""
    line, column = marks[known(at, marks)] if marks else (0, 0)
    return f"{name}:{line}:{column}" if line else name


def known(at: Location, marks: Mapping[Location, tuple[int, int]]) -> Location:
    """`at` without the parts that are not in the file: a missing key, the name of a type."""
    found: Location = ()
    for part in at:
        if (*found, part) in marks:
            found = (*found, part)
    return found
