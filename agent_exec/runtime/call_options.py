"""What every way to run a call takes by keyword.

Its annotations are no texts, unlike elsewhere: `typing` would compile each of them.
"""

import os
from collections.abc import Mapping
from typing import TypedDict


class CallOptions(TypedDict, total=False):
    """What every way to run a call takes, by keyword."""

    stdin: str | bytes | int | None
    """Literal input, or a descriptor to hand on; nothing is /dev/null."""
    stdout: int | None
    """A descriptor to hand on instead of capturing; the same for `stderr`."""
    stderr: int | None
    cwd: str | os.PathLike[str] | None
    """Absolute, or relative to the worktree; the worktree itself when not given."""
    env: Mapping[str, str] | None
    """Laid over the tool's environment."""
    timeout_s: float | None
    """Seconds from the launch to SIGTERM; the tool's limit when not given; inf for no limit."""
    keep_output: bool
    """Write the whole output to files, whose paths are in the result."""
    stdout_file: str | None
    """A file for the output, relative to the call's directory, as ``>`` has one."""
    append: bool
    """As ``>>`` does."""
