"""What rule sets are for: rights, to files as they are now."""

from __future__ import annotations

import os

from agent_exec.model.plan import Executable
from agent_exec.model.rights import Rights

_MOST_KEPT = 256


class Kind:
    """Stands for equal rights to the same files, for as long as it is remembered.

    Compared in a step: rights are dozens of paths.
    """

    __slots__ = ()


class Kinds:
    """Those of one tool, the oldest out. Safe from any thread, and in a forked child."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Kind] = {}

    def of(self, rights: Rights, executable: Executable) -> Kind:
        """That of a stage.

        Programs tell it by what they are now: rights are to files, and an update replaces these.
        """
        identity, name = executable.identity, executable.name
        key: tuple[object, ...] = (rights, name, identity.dev, identity.ino)
        if rights.programs != (name,):
            key += tuple([_file(each) for each in rights.programs if each != name])
        known = self._kept.get(key)
        if known is None:
            # Each step is atomic, so that no lock is needed, which a fork could find taken.
            known = self._kept.setdefault(key, Kind())
            for oldest in list(self._kept)[:-_MOST_KEPT]:
                self._kept.pop(oldest, None)
        return known


def _file(path: str) -> tuple[int, int] | None:
    """Which file is there now."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
