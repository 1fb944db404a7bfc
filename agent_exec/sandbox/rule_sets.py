"""Landlock rule sets, made once for the same rights and kept while their paths stay the same."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox import landlock

_MOST_KEPT = 64
# What lies outside of what calls may change is looked at no more often than that.
_LOOK_AGAIN_S = 1.0
# A path that is not there, or no longer what was looked at, gives nothing.
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENAMETOOLONG})

Key: TypeAlias = tuple[object, ...]
Where: TypeAlias = tuple[int, int] | None
"""Device and inode; None: nothing is there."""


class Wanted(NamedTuple):
    """What a rule set has to hold."""

    accesses: Mapping[str, int]
    network: bool
    signal: bool
    watched: tuple[str, ...]
    """Paths that are looked at before every use; the others, now and then."""
    pinned: int | None = None
    """A descriptor of the program that is started, borrowed: it may be executed, whatever its path
    names by then."""


class RuleSet:
    """One that is in use, or kept. `fd` is open for as long as somebody holds it."""

    def __init__(
        self,
        fd: int,
        accesses: Mapping[str, int],
        seen: Mapping[str, Where],
        watched: tuple[str, ...],
    ) -> None:
        self.fd = fd
        self.accesses = accesses
        self.seen = seen
        self.watched = watched
        self.users = 1
        self.kept = True
        self.looked_at = 0.0


class RuleSets:
    """Of one tool. Safe from any thread.

    Args:
        abi: The version of Landlock, at least 1.
        clock: Seconds.
    """

    def __init__(self, abi: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._abi = abi
        self._clock = clock
        self._kept: dict[Key, RuleSet] = {}
        self._lock = threading.Lock()
        self.made = 0
        """How many were made in all."""

    def lease(self, key: Key, wanted: Callable[[], Wanted]) -> RuleSet:
        """The one for `key`, to be released.

        Args:
            key: Equal ones want the same.
            wanted: Says what, if it has to be made.

        Raises:
            OSError: It cannot be had: EMFILE, ENFILE, ENOMEM.
        """
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is not None:
                if self._is_still_right(kept):
                    kept.users += 1
                    self._kept[key] = kept
                    return kept
                self._drop(kept)
        made = self._make(wanted())
        with self._lock:
            self.made += 1
            other = self._kept.pop(key, None)
            if other is not None:
                self._drop(other)
            self._kept[key] = made
            while len(self._kept) > _MOST_KEPT:
                self._drop(self._kept.pop(next(iter(self._kept))))
        return made

    def endings(self, start: Key) -> frozenset[object]:
        """The last parts of the keys of those kept, whose other parts are `start`."""
        with self._lock:
            return frozenset([key[-1] for key in self._kept if key[:-1] == start])

    def release(self, rule_set: RuleSet) -> None:
        """Give one back."""
        with self._lock:
            rule_set.users -= 1
            self._close_unused(rule_set)

    def forget(self, path: str) -> None:
        """Keep none that speaks of `path`."""
        with self._lock:
            for key, each in tuple(self._kept.items()):
                if path in each.seen:
                    self._drop(self._kept.pop(key))

    def close(self) -> None:
        """Keep none."""
        with self._lock:
            while self._kept:
                self._drop(self._kept.popitem()[1])

    def _drop(self, rule_set: RuleSet) -> None:
        rule_set.kept = False
        self._close_unused(rule_set)

    @staticmethod
    def _close_unused(rule_set: RuleSet) -> None:
        if not rule_set.kept and not rule_set.users and rule_set.fd >= 0:
            os.close(rule_set.fd)
            rule_set.fd = -1

    def _is_still_right(self, rule_set: RuleSet) -> bool:
        """Do its paths still name what they named?"""
        now = self._clock()
        paths: tuple[str, ...] | Mapping[str, Where] = rule_set.watched
        if now - rule_set.looked_at >= _LOOK_AGAIN_S:
            paths = rule_set.seen
            rule_set.looked_at = now
        return all(_where(path) == rule_set.seen.get(path) for path in paths)

    def _make(self, wanted: Wanted) -> RuleSet:
        fd = landlock.create(self._abi, network=wanted.network, signal=wanted.signal)
        try:
            seen = {path: self._allow(fd, path, each) for path, each in wanted.accesses.items()}
            if wanted.pinned is not None:
                landlock.allow(fd, wanted.pinned, landlock.EXECUTE | landlock.READ_FILE)
        except BaseException:
            os.close(fd)
            raise
        watched = tuple([path for path in wanted.watched if path in seen])
        made = RuleSet(fd, wanted.accesses, seen, watched)
        made.looked_at = self._clock()
        return made

    def _allow(self, rule_set: int, path: str, access: int) -> Where:
        try:
            fd = landlock.open_path(path)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        try:
            status = os.fstat(fd)
            access &= landlock.handled_fs(self._abi)
            if not stat.S_ISDIR(status.st_mode):
                access &= landlock.OF_FILES
            if access:
                landlock.allow(rule_set, fd, access)
            return status.st_dev, status.st_ino
        finally:
            os.close(fd)


def _where(path: str) -> Where:
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return None if stat.S_ISLNK(status.st_mode) else (status.st_dev, status.st_ino)
