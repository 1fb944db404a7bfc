"""Where a path leads, for another process than ours."""

from __future__ import annotations

import os

# The kernel's limit of links in one path.
_MOST_LINKS = 40
NOWHERE = "?"
"""How a path begins that leads every process somewhere else: it is beneath no directory."""


def real_path(path: str) -> str:
    """`path` without links, as far as it exists; the rest as it is.

    As `os.path.realpath`, but for the links of ``/proc`` to the directory, root and files of
    a process: what they say of us, they do not say of a child. Such a path begins with `NOWHERE`.

    Args:
        path: Absolute.

    Raises:
        OSError: A part of it cannot be looked at.
        ValueError: There is a NUL in it.

    Source:
        path_resolution(7); proc(5), /proc/self, /proc/pid/cwd, /proc/pid/fd.
    """
    left = path.split("/")
    left.reverse()
    real = ""
    links = 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            real = real[: real.rfind("/")] if real else ""
            continue
        here = f"{real}/{name}"
        try:
            target = os.readlink(here)
        except OSError:  # no link, or not there
            real = here
            continue
        links += 1
        if here.startswith("/proc/"):
            return f"{NOWHERE}{'/'.join([here, *reversed(left)])}"
        if links > _MOST_LINKS:
            return os.path.normpath(path)
        if target.startswith("/"):
            real = ""
        left.extend(reversed(target.split("/")))
    return real or "/"
