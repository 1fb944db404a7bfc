"""What was looked at, so that it can be told later whether all of it is still so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import accumulate, chain, islice, starmap
from typing import Any, TypeAlias

from agent_exec.named_tuple import NamedTuple

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


Witness: TypeAlias = Callable[[], bool]
"""Is everything that was looked at still so? Never raises."""
MakeWitness: TypeAlias = Callable[[tuple[Glance, ...]], Witness]
IsStraight: TypeAlias = Callable[[str, str], bool]
"""Of a directory (absolute, or empty for ``/``) and names beneath it, with slashes between them:
is each a plain name, of no link? Those of nothing are; false also where that is not known."""


class Status(NamedTuple):
    """What may be asked of an inode; more would change without a difference to anybody."""

    mode: int
    """Type and permissions, as `os.stat_result.st_mode`."""
    uid: int


class Eyes:
    """Asks the file system, each question once, and keeps it with its answer.

    The questions of one judgement, not for several threads at once: whoever judges again looks
    with other eyes.

    Args:
        ask_straight: Asks of all names of a path at once, where there is what can.
    """

    __slots__ = ("_ask_straight", "_lost", "_seen", "_straight", "_told")

    def __init__(self, ask_straight: IsStraight | None = None) -> None:
        self._ask_straight = ask_straight
        self._straight: list[tuple[str, str]] = []
        self._seen: dict[tuple[Sight, str], Any] = {}
        """Every question, but for those of `_straight`, and its answer."""
        self._told: list[tuple[Glance, ...]] = []
        self._lost = False

    def glances(self) -> tuple[Glance, ...] | None:
        """All that was asked: who gets the same answers again would see the same.

        None: it cannot be told, for something was looked at that has too many parts, that
        changed meanwhile, or that might change without a trace.
        """
        if self._lost:
            return None
        seen = dict(self._seen)
        for path in chain.from_iterable(starmap(_each, self._straight)):
            if seen.setdefault((Sight.LINK, path), None) is not None:
                return None  # it has become another meanwhile
        asked = tuple([Glance(sight, path, answer) for (sight, path), answer in seen.items()])
        return tuple(dict.fromkeys(chain(asked, *self._told))) if self._told else asked

    def saw(self, glances: tuple[Glance, ...]) -> None:
        """These were asked by somebody else, just now."""
        self._told.append(glances)

    def lose(self) -> None:
        """Something is looked at in another way."""
        self._lost = True

    def link(self, path: str) -> str | None:
        """Where a link leads; None: it is no link, or not there.

        Raises:
            ValueError: There is a NUL in `path`.
        """
        seen, question = self._seen, (Sight.LINK, path)
        if question in seen:
            known: str | None = seen[question]
            return known
        seen[question] = target = _link(path)
        return target

    def is_straight(self, folder: str, names: str) -> bool:
        """See `IsStraight`. True: it is as if `link` had been asked of each, and said no."""
        ask = self._ask_straight
        if ask is None or not ask(folder, names):
            return False
        self._straight.append((folder, names))
        return True

    def may_execute(self, path: str) -> bool:
        """As `os.access` with X_OK."""
        question = (Sight.EXECUTE, path)
        may = self._seen.get(question)
        if may is None:
            may = self._seen[question] = int(os.access(path, os.X_OK))
        return may == 1

    def stat(self, path: str) -> Status:
        """As `os.stat`."""
        return self._look(Sight.STATUS, os.stat, path)

    def lstat(self, path: str) -> Status:
        """As `os.lstat`."""
        return self._look(Sight.OWN_STATUS, os.lstat, path)

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
            self._seen[Sight.REAL, path] = None
        else:
            self.lose()
        return real

    def opened(self, path: str, status: os.stat_result) -> None:
        """A file whose content is about to be read."""
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
            self.lose()
        content = _content(status)
        if self._seen.setdefault((Sight.CONTENT, path), content) != content:
            self.lose()

    def _look(self, sight: Sight, ask: Callable[[str], os.stat_result], path: str) -> Status:
        """Ask for what was not there yet: why it is not makes a difference."""
        question = (sight, path)
        known: Status | None = self._seen.get(question)
        if known is not None:
            return known
        try:
            status = _kept(ask(path))
        except OSError:
            self._seen[question] = None
            raise
        if question in self._seen:
            self.lose()  # it has come meanwhile
        self._seen[question] = status
        return status


def is_still_so(glances: tuple[Glance, ...]) -> bool:
    """Does every question have the same answer now? Never raises."""
    try:
        return all(_ASK[glance.sight](glance.path) == glance.answer for glance in glances)
    except ValueError:
        return False


def _each(folder: str, names: str) -> Iterator[str]:
    """The path of each of `names`."""
    return islice(accumulate(names.split("/"), "{}/{}".format, initial=folder), 1, None)


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _kept(status: os.stat_result) -> Status:
    return Status(status.st_mode, status.st_uid)


def _status(path: str) -> Answer:
    try:
        return _kept(os.stat(path))
    except OSError:
        return None


def _own_status(path: str) -> Answer:
    try:
        return _kept(os.lstat(path))
    except OSError:
        return None


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
