"""In words, what is different about a file under a template. Pure."""

from __future__ import annotations

import stat

from agent_exec.model.plan import Identity


def what_changed(before: Identity, now: Identity) -> str:
    """Why a template was made again: the first of these that explains it.

    Args:
        before: Of the file that was pinned.
        now: Of the one that the path names now.
    """
    if (before.dev, before.ino) != (now.dev, now.ino):
        return "another file is at its path"
    if (before.size, before.mtime_ns) != (now.size, now.mtime_ns):
        return "it was written to"
    if (before.uid, before.gid) != (now.uid, now.gid):
        return f"its owner changed to {now.uid}:{now.gid}"
    if before.mode != now.mode:
        return f"its mode changed to {stat.S_IMODE(now.mode):04o}"
    if before.ctime_ns != now.ctime_ns:
        return "its links, names or attributes changed"
    return "its path did not lead to it, or our own credentials changed"
