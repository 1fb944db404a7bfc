"""Files that other programs run, or obey, later: what became of them while a call could write.

Landlock cannot take a file out of a worktree that may be written. So these are looked at before
and after, and a difference is told.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeAlias

_MOST_FILES = 1024
_MOST_BYTES = 256 * 1024
"""Of a file that is read; a longer one is known by its size and times."""

Looks: TypeAlias = Mapping[str, tuple[object, ...]]
"""Name in the worktree to what was there; of equal ones nothing has changed."""
_Key: TypeAlias = tuple[int, ...]


class Protected:
    """The protected files of one worktree. Safe from any thread.

    Args:
        worktree: Absolute. The names are looked for in it, and not further down.
        names: Relative, of files or directories.
    """

    def __init__(self, worktree: str, names: Sequence[str]) -> None:
        self._worktree = worktree
        self._names = tuple(dict.fromkeys(name.strip("/") for name in names))
        self._digests: dict[str, tuple[_Key, str]] = {}
        """Of files that were read, as they were: most calls change none."""

    def look(self) -> Looks:
        """What is there now, of the first 1,024 files and directories."""
        seen: dict[str, tuple[object, ...]] = {}
        names = (found for name in self._names for found in self._beneath(name))
        for found in islice(names, _MOST_FILES):
            with suppress(OSError):  # gone since it was listed, or not ours to look at
                seen[found] = self._what_is(found)
        self._digests = {name: known for name, known in [*self._digests.items()] if name in seen}
        return seen

    def _beneath(self, name: str) -> Iterator[str]:
        """`name` and, where it is a directory, all in it; no link is followed."""
        left = [name]
        while left:
            name = left.pop()
            yield name
            path = os.path.join(self._worktree, name)
            with suppress(OSError):
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    left += [f"{name}/{each}" for each in sorted(os.listdir(path), reverse=True)]

    def _what_is(self, name: str) -> tuple[object, ...]:
        path = os.path.join(self._worktree, name)
        status = os.lstat(path)
        kind = (status.st_mode, status.st_uid)
        if stat.S_ISLNK(status.st_mode):
            return (*kind, os.readlink(path))
        if not stat.S_ISREG(status.st_mode):
            return kind
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size > _MOST_BYTES:
            return (*kind, *key)
        known = self._digests.get(name)
        if known is None or known[0] != key:
            known = self._digests[name] = (key, _digest(path))
        return (*kind, known[1])


def changes(before: Looks, now: Looks) -> list[tuple[str, str]]:
    """Names that differ, in order, and in a word what has become of each. Pure."""
    found = []
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            word = "made" if name not in before else "changed" if name in now else "removed"
            found.append((name, word))
    return found


def _digest(path: str) -> str:
    import hashlib  # noqa: PLC0415 - loads OpenSSL, and most calls write nothing

    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return hashlib.sha256(file.read(_MOST_BYTES + 1)).hexdigest()
