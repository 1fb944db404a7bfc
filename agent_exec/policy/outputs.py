"""Where whole outputs of calls are kept: calls of the same worktree may read them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from agent_exec.homes import state_home

_LONGEST = 200


def outputs_folder(environ: Mapping[str, str], worktree: str) -> str:
    """A folder of its own for each worktree, beneath the XDG state directory.

    Args:
        environ: Of this process.
        worktree: Absolute, without links.
    """
    return os.path.join(state_home(environ), "agent_exec", "outputs", folder_name(worktree))


def folder_name(worktree: str) -> str:
    """A name that only this worktree has, and that people can read."""
    name = worktree.strip("/").replace("%", "%25").replace("/", "%2F") or "%2F"
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    import hashlib  # noqa: PLC0415 - takes longer to import than all else here

    return hashlib.sha256(os.fsencode(worktree)).hexdigest()
