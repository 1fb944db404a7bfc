"""`re.compile` for the patterns of modules: done when one is first used.

To compile one takes 0.05 to 1 ms, and a process that runs one command uses every tenth of those
of the modules that it imports. Type checkers see `re.compile`.
"""

from __future__ import annotations

import re

__all__ = ["regex"]

TYPE_CHECKING = False  # as in `agent_exec`

if TYPE_CHECKING:
    from re import compile as regex
else:
    _OF_A_PATTERN = (
        *("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"),
        *("pattern", "flags", "groups", "groupindex"),
    )

    class _Compiled:
        """Has what a pattern has, each found as fast as one of the pattern."""

    class regex(_Compiled):  # noqa: N801 - what it makes is used as a pattern
        """A compiled pattern, but for what asks for its type."""

        def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
            self._arguments = (pattern, flags)

        def __getattr__(self, name: str) -> object:
            compiled = re.compile(*self._arguments)
            # Two threads may both do it: it comes out equal.
            for each in _OF_A_PATTERN:
                setattr(self, each, getattr(compiled, each))
            # A class with a `__getattr__` takes three times as long to find anything.
            self.__class__ = _Compiled
            return getattr(compiled, name)
