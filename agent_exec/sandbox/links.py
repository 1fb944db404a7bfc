"""Symbolic links that programs go through to reach what they may read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from agent_exec.sandbox.minimum import named

_TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/home", "/var/run", "/run/shm")


def links_of_machine(home: str) -> dict[str, str]:
    """Those that are there for everybody, to where they lead. Never raises.

    Args:
        home: Of the user, absolute.
    """
    return links_of([*_TOP, home, *named()])


def links_of(paths: Iterable[str]) -> dict[str, str]:
    """The same of any paths, absolute: each that is reached through a link."""
    found = {}
    for path in map(os.path.normpath, paths):
        # A file that takes the place of a link just then.
        with suppress(OSError):
            real = os.path.realpath(path)
            if real != path:
                found[path] = real
    return found
