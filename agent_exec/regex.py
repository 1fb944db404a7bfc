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

    class regex:  # noqa: N801 - what it makes is used as a pattern
        """A compiled pattern, but for what asks for its type."""

        def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
            self._arguments = (pattern, flags)

        def __getattr__(self, name: str) -> object:
            # Found in the instance from now on. Two threads may both do it: it comes out equal.
            found = getattr(re.compile(*self._arguments), name)
            setattr(self, name, found)
            return found
