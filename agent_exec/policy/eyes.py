"""What was looked at, so that it can be told later whether all of it is still so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, TypeAlias

# A file that was written a moment ago may be written again within one tick of the clock that
# marks it: what was read is no more told apart from what comes then. FAT counts in steps of 2 s.
_SETTLED_NS = 3_000_000_000


class Sight(IntEnum):
    """What was asked of the file system, and what the answer is."""

    LINK = 0
    """readlink(2): the target; None: it is no link, or not there."""
    EXECUTE = 1
    """access(2): may we execute it? 1 or 0."""
    STATUS = 2
    """stat(2): mode and owner; None: it cannot be looked at."""
    OWN_STATUS = 3
    """lstat(2): the same of a link itself."""
    CONTENT = 4
    """stat(2): all that changes when a file's content does."""
    REAL = 5
    """It is there, and there is no link in the whole path; the answer is None."""


Answer: TypeAlias = "str | int | tuple[int, ...] | None"


class Glance(NamedTuple):
    """One question, and the answer to it."""

    sight: Sight
    path: str
    answer: Answer


class Eyes:
    """Asks the file system, and keeps every question with its answer.

    The questions of one call: not for several threads at once.
    """

    __slots__ = ("_glances",)

    def __init__(self) -> None:
        self._glances: dict[tuple[Sight, str], Answer] | None = {}

    def glances(self) -> tuple[Glance, ...] | None:
        """All that was asked: who gets the same answers again would see the same.

        None: it cannot be told, for something was looked at that has too many parts, that
        changed meanwhile, or that might change without a trace.
        """
        if self._glances is None:
            return None
        return tuple([Glance(*key, answer) for key, answer in self._glances.items()])

    def lose(self) -> None:
        """Something is looked at in another way."""
        self._glances = None

    def readlink(self, path: str) -> str:
        """As `os.readlink`."""
        try:
            target = os.readlink(path)
        except OSError:
            self._keep(Sight.LINK, path, None)
            raise
        self._keep(Sight.LINK, path, target)
        return target

    def may_execute(self, path: str) -> bool:
        """As `os.access` with X_OK."""
        answer = os.access(path, os.X_OK)
        self._keep(Sight.EXECUTE, path, int(answer))
        return answer

    def stat(self, path: str) -> os.stat_result:
        """As `os.stat`; only mode and owner may be used."""
        return self._status(Sight.STATUS, path)

    def lstat(self, path: str) -> os.stat_result:
        """As `os.lstat`; only mode and owner may be used."""
        return self._status(Sight.OWN_STATUS, path)

    def is_there(self, path: str) -> bool:
        """As `os.path.lexists`."""
        try:
            self.lstat(path)
        except (OSError, ValueError):
            return False
        return True

    def realpath(self, path: str) -> str:
        """As `os.path.realpath`."""
        real = os.path.realpath(path)
        if real == path:
            self._keep(Sight.REAL, path, None)
        else:
            self.lose()
        return real

    def opened(self, path: str, status: os.stat_result) -> None:
        """A file whose content is about to be read."""
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
            self.lose()
        self._keep(Sight.CONTENT, path, _content(status))

    def _status(self, sight: Sight, path: str) -> os.stat_result:
        try:
            status = os.stat(path, follow_symlinks=sight is Sight.STATUS)
        except OSError:
            self._keep(sight, path, None)
            raise
        self._keep(sight, path, (status.st_mode, status.st_uid))
        return status

    def _keep(self, sight: Sight, path: str, answer: Answer) -> None:
        if self._glances is None:
            return
        if self._glances.setdefault((sight, path), answer) != answer:
            self._glances = None


def is_still_so(glances: tuple[Glance, ...]) -> bool:
    """Does every question have the same answer now? Never raises."""
    try:
        return all(_ASK[glance.sight](glance.path) == glance.answer for glance in glances)
    except ValueError:
        return False


def _link(path: str) -> Answer:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _status(path: str) -> Answer:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mode, status.st_uid)


def _own_status(path: str) -> Answer:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_mode, status.st_uid)


def _content_of(path: str) -> Answer:
    try:
        return _content(os.stat(path))
    except OSError:
        return None


def _content(status: os.stat_result) -> tuple[int, ...]:
    return (
        *(status.st_dev, status.st_ino, status.st_mode, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


_ASK: dict[Sight, Callable[[str], Answer]] = {
    Sight.LINK: _link,
    Sight.EXECUTE: lambda path: int(os.access(path, os.X_OK)),
    Sight.STATUS: _status,
    Sight.OWN_STATUS: _own_status,
    Sight.CONTENT: _content_of,
    Sight.REAL: lambda path: None if os.path.realpath(path) == path else 0,
}
