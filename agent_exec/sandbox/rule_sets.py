"""Landlock rule sets: made, told whether they are still right, and made again for others.

Those of equal keys differ in one rule, that of the temp directory.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeAlias
from weakref import WeakValueDictionary

from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox import landlock
from agent_exec.sandbox.core import Core
from agent_exec.sandbox.landlock import Where

# What lies outside of what calls may change is looked at no more often than that.
_LOOK_AGAIN_S = 1.0
_OF_PINNED = landlock.EXECUTE | landlock.READ_FILE

Key: TypeAlias = Hashable


class Wanted(NamedTuple):
    """What a rule set has to hold."""

    accesses: Mapping[str, int]
    """But for the temp directory."""
    of_tmp: int
    """Of the temp directory; 0: it is not in it."""
    network: bool
    signal: bool
    watched: tuple[str, ...]
    """Paths that are looked at before every use, as is the temp directory; the others, now and
    then."""


class Pattern:
    """All that rule sets of one key have in common.

    Args:
        wanted: Of each.
        abi: The version of Landlock.
    """

    def __init__(self, wanted: Wanted, abi: int) -> None:
        self.wanted = wanted
        self.attribute = landlock.attribute(abi, network=wanted.network, signal=wanted.signal)
        looked_at = frozenset(wanted.watched)
        others = {path: each for path, each in wanted.accesses.items() if path not in looked_at}
        watched = {path: each for path, each in wanted.accesses.items() if path in looked_at}
        self.watched_rules = landlock.rules(watched)
        self.rules = landlock.rules(others) + self.watched_rules
        self.paths = (*others, *watched)
        """In the order of the rules."""
        self.others_size = len(others) * landlock.PLACE_SIZE
        """Of what was found of those that are not watched."""
        self.found: bytes | None = None
        """What the paths named when the first was made, as the core has told it."""
        self.looked_at = 0.0
        """At all of them."""


class RuleSet:
    """One of them: `fd` is open until it is closed."""

    def __init__(self, fd: int, pattern: Pattern, of_tmp: Mapping[str, int], found: bytes) -> None:
        self.fd = fd
        self.pattern = pattern
        self._of_tmp = of_tmp
        self._found = found
        self.watched_rules = pattern.watched_rules + landlock.rules(of_tmp)
        """With that of the temp directory."""
        self.watched_found = found[pattern.others_size :]

    @property
    def accesses(self) -> Mapping[str, int]:
        """By path, the temp directory among them."""
        common = self.pattern.wanted.accesses
        of_tmp = {path: common.get(path, 0) | access for path, access in self._of_tmp.items()}
        return {**common, **of_tmp}

    @property
    def seen(self) -> Mapping[str, Where]:
        """What these named when it was made."""
        return landlock.places((*self.pattern.paths, *self._of_tmp), self._found)

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class RuleSets:
    """Of one tool. Safe from any thread.

    Args:
        abi: The version of Landlock, at least 1.
        core: What is done in C.
        clock: Seconds.
    """

    def __init__(self, abi: int, core: Core, clock: Callable[[], float] = time.monotonic) -> None:
        self._abi = abi
        self._core = core
        self._clock = clock
        # Of rule sets that somebody keeps.
        self._patterns: WeakValueDictionary[Key, Pattern] = WeakValueDictionary()
        self._lock = threading.Lock()
        self.made = 0
        """How many were made in all."""

    def make(self, key: Key, tmp: str, pinned: int, wanted: Callable[[], Wanted]) -> RuleSet:
        """One for `key` and a temp directory, to be closed.

        Where one of the same key is kept, what it holds is not worked out again: this one gets the
        same of the same files, or nothing of it is used. So it is what the other one is, which
        might be used in its place as long as its paths name what they named.

        Args:
            key: Equal ones want the same.
            tmp: Absolute, without links.
            pinned: A descriptor of the program that is started, borrowed: it may be executed,
                whatever its path names by then.
            wanted: Says what it has to hold, if that has to be worked out.

        Raises:
            OSError: It cannot be had: EMFILE, ENFILE, ENOMEM.
            ValueError: There is a NUL in a path.
        """
        known = self._patterns.get(key)
        made = None if known is None else self._make(known, tmp, pinned)
        if made is None:
            pattern = Pattern(wanted(), self._abi)
            made = self._make(pattern, tmp, pinned)
            assert made is not None, "there is none that it could differ from"
            self._patterns[key] = pattern
        with self._lock:
            self.made += 1
        return made

    def is_right(self, rule_set: RuleSet) -> bool:
        """Do its paths still name what they named?"""
        pattern, now = rule_set.pattern, self._clock()
        assert pattern.found is not None, "it was made"
        if now - pattern.looked_at >= _LOOK_AGAIN_S:
            if not self._core.rules_hold(pattern.rules, pattern.found):
                return False
            pattern.looked_at = now
        return self._core.rules_hold(rule_set.watched_rules, rule_set.watched_found)

    def _make(self, pattern: Pattern, tmp: str, pinned: int) -> RuleSet | None:
        """None where its paths no longer name what they named."""
        wanted, now = pattern.wanted, self._clock()
        of_tmp = {tmp: wanted.of_tmp} if wanted.of_tmp else {}
        rules = pattern.rules + landlock.rules(of_tmp)
        fd, found = self._core.make_rule_set(
            pattern.attribute, rules, landlock.OF_FILES, pinned, _OF_PINNED
        )
        made = None
        try:
            common = found[: len(found) - len(of_tmp) * landlock.PLACE_SIZE]
            if pattern.found is None:
                pattern.found = common
            if pattern.found == common:
                pattern.looked_at = now
                made = RuleSet(fd, pattern, of_tmp, found)
        finally:
            if made is None:
                os.close(fd)
        return made
