"""What was asked for, as it arrived."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class ToolCall(NamedTuple):
    """One tool call: stages joined by pipes, one of them most of the time; or shell text.

    Nothing has been looked up yet: a program is a name, cwd may not exist.
    """

    stages: tuple[tuple[str, ...], ...] = ()
    """Empty when the call is a text."""
    command: str | None = None
    """Shell text."""
    stdin: str | bytes | int | None = None
    """Literal text, a descriptor to hand on, or nothing (/dev/null)."""
    stdout: int | None = None
    """A descriptor to hand on; None captures."""
    stderr: int | None = None
    cwd: str | os.PathLike[str] | None = None
    """None is the worktree; a relative one is relative to it."""
    env: Mapping[str, str] | None = None
    """Laid over the tool's own environment."""
    timeout_s: float | None = None
    """None is the tool's limit."""
    keep_output: bool = False
    """Write the whole output to files, too."""
