"""Where paths lead, for another process than ours. Reads, never writes."""

from __future__ import annotations

import os

from agent_exec.policy.eyes import Eyes
from agent_exec.policy.paths import is_beneath, normal

# The kernel's limit of links in one path.
_MOST_LINKS = 40
_MOST_NAMES = 100_000
_NO_NAMES = frozenset({"", ".", ".."})
NOWHERE = "?"
"""How a path begins that leads every process somewhere else: it is beneath no directory."""


def real_path(path: str, known: str = "/", eyes: Eyes | None = None) -> str:
    """`path` without links, as far as it exists; the rest as it is.

    As `os.path.realpath`, but for the links of ``/proc`` to the directory, root and files of
    a process: what they say of us, they do not say of a child. Such a path begins with `NOWHERE`.

    Args:
        path: Absolute.
        known: A directory that was seen to be without links just now; not looked at again.
        eyes: What looks.

    Raises:
        OSError: A part of it cannot be looked at.
        ValueError: There is a NUL in it.

    Source:
        path_resolution(7); proc(5), /proc/self, /proc/pid/cwd, /proc/pid/fd.
    """
    real, below = "", path[1:]
    if known != "/" and path.startswith(f"{known}/"):
        real, below = known, path[len(known) + 1 :]
    if eyes is not None and eyes.is_straight(real, below):
        return path
    link = _link if eyes is None else eyes.link
    left = below.split("/")
    left.reverse()
    links = 0
    while left:
        name = left.pop()
        if name in _NO_NAMES:
            if name == "..":
                real = real[: real.rfind("/")] if real else ""
            continue
        here = f"{real}/{name}"
        target = link(here)
        if target is None:
            real = here
            continue
        links += 1
        if here.startswith("/proc/"):
            return f"{NOWHERE}{'/'.join([here, *reversed(left)])}"
        if links > _MOST_LINKS:
            return normal(path)
        if target.startswith("/"):
            real = ""
        left.extend(reversed(target.split("/")))
    return real or "/"


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:  # no link, or not there
        return None


def real_names(folder: str) -> tuple[str, ...]:
    """Where names that are found beneath `folder` may lead: to it, and wherever links lead.

    Args:
        folder: Absolute. A file stands for itself.

    Returns:
        Without links; what lies beneath the first stands for itself. Empty: there are too
        many names to look at.

    Raises:
        OSError: A part of it cannot be looked at.
        ValueError: There is a NUL in it.
    """
    real = {real_path(folder): None}
    first = next(iter(real))
    left = _MOST_NAMES
    waiting = [first] if os.path.isdir(first) else []
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except PermissionError:  # nor can a child of ours look into it
            continue
        left -= len(entries)
        if left < 0:
            return ()
        for entry in entries:
            if entry.is_symlink():
                target = real_path(entry.path)
                if not is_beneath(target, first):
                    real[target] = None
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
    return tuple(real)
