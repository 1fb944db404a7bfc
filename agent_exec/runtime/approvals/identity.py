"""Which file a path names, as an approval remembers it."""

from __future__ import annotations

import os

from agent_exec.model.plan import Identity


def identity_text(identity: Identity) -> str:
    """The same for the same file only, as long as nobody has changed it."""
    return (
        f"{identity.dev}:{identity.ino} size {identity.size} mode {identity.mode:o} "
        f"owner {identity.uid}:{identity.gid} "
        f"changed {identity.ctime_ns} modified {identity.mtime_ns}"
    )


def identity_at(path: str) -> str:
    """Of the file that is there now; why there is none."""
    try:
        return identity_text(Identity.of(os.stat(path)))
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
