"""Slots: a temp directory, and the rule sets that name it, which one call uses at a time.

A rule set takes a while to make, and is good for one temp directory alone. So the two are kept
together, by what the first stage of a call is allowed: there come to be as many slots of a kind
as there are calls of that kind at once, and none of them makes a rule set that was made before.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable

from agent_exec.sandbox.rule_sets import Key, RuleSet
from agent_exec.sandbox.tmp import MODE, TmpFolders, emptied, remove

_MOST_KEPT = 128
# Of the descriptors that we may have, those that wait here for a use.
_PART_OF_DESCRIPTORS = 8
_MOST_OF_ONE = 16


class Slot:
    """One of them: of one call, until it is given back.

    Args:
        kind: What the first stage of its calls is allowed; None: that is not known.
        tmp: The temp directory, absolute, without links.
    """

    __slots__ = (
        *("_replaced", "_rule_sets", "counted"),
        *("given_back", "kind", "tmp", "tmp_bytes"),
    )

    def __init__(self, kind: Key | None, tmp: str) -> None:
        self.kind = kind
        self.tmp = tmp
        self.tmp_bytes = os.fsencode(tmp)
        self.given_back = 0
        """Later ones have higher numbers."""
        self.counted = 0
        """Its `size` when it was given back."""
        self._rule_sets: dict[Key, RuleSet] = {}
        """Those last used are last."""
        self._replaced: list[RuleSet] = []

    @property
    def size(self) -> int:
        """How much it takes to keep it: its rule sets, or else the directory."""
        return len(self._rule_sets) or 1

    def rule_set(self, key: Key, is_right: Callable[[RuleSet], bool]) -> RuleSet | None:
        """The one of that key, open for as long as the call has the slot; None: it has none.

        Args:
            key: Of a rule set.
            is_right: May one that was kept be used?
        """
        kept = self._rule_sets.pop(key, None)
        if kept is None:
            return None
        if is_right(kept):
            self._rule_sets[key] = kept
            return kept
        self._replaced.append(kept)  # a stage that has it may not have started yet
        return None

    def add(self, key: Key, made: RuleSet) -> None:
        """One that it has none of: it is the slot's to close."""
        self._rule_sets[key] = made

    def settle(self) -> None:
        """The call is over: close what nobody will use again."""
        while self._replaced:
            self._replaced.pop().close()
        while len(self._rule_sets) > _MOST_OF_ONE:
            self._rule_sets.pop(next(iter(self._rule_sets))).close()

    def close(self) -> None:
        """Close all of them; the directory stays. Idempotent."""
        self.settle()
        while self._rule_sets:
            self._rule_sets.popitem()[1].close()


class Slots:
    """Of one tool. Safe from any thread, and in a forked child, which has none of its parent's.

    Args:
        tmp: Where the temp directories are.
        is_empty: Of the core.
    """

    def __init__(self, tmp: TmpFolders, is_empty: Callable[[bytes, int], bool]) -> None:
        self._tmp = tmp
        self._is_empty = is_empty
        self._most = min(_MOST_KEPT, _descriptors() // _PART_OF_DESCRIPTORS)
        self._free: dict[Key | None, list[Slot]] = {}
        """By kind, those last given back last. There is no empty list."""
        self._size = 0
        self._spare: list[str] = []
        """Directories of slots that have given way, empty."""
        self._given_back = 0
        self._lock = threading.Lock()

    def take(self, kind: Key | None) -> Slot:
        """One that nobody else uses, its directory empty.

        Raises:
            OSError: As `TmpFolders.make`.
        """
        while (slot := self._pop(kind)) is not None:
            if self._is_there(slot.tmp):
                return slot
            slot.close()
        return Slot(kind, self._folder())

    def give_back(self, slot: Slot, *, again: bool, in_use: bool = False) -> None:
        """Empty the directory, and keep it all for another call.

        Args:
            slot: By `take`.
            again: May it be used again? Not where something may still live that could write it.
            in_use: May something go on using it? Then the directory stays until `close`.
        """
        slot.settle()
        if again and not in_use and self._tmp.owns(slot.tmp) and self._emptied(slot):
            self._push(slot)
            return
        slot.close()
        if not in_use and self._tmp.owns(slot.tmp):
            remove(slot.tmp)

    def close(self) -> None:
        """Keep none, and remove the temp directories. What is taken later is made anew."""
        with self._lock:
            slots = [slot for each in self._free.values() for slot in each]
            self._free.clear()
            self._spare.clear()
            self._size = 0
        for slot in slots:
            slot.close()
        self._tmp.close()

    def _folder(self) -> str:
        """An empty directory that nobody has."""
        with self._lock:
            spare = self._spare.pop() if self._spare else ""
        return spare if self._is_there(spare) else self._tmp.make()

    def _is_there(self, folder: str) -> bool:
        # Somebody may have removed it, as a purge does.
        return self._tmp.owns(folder) and os.access(folder, os.F_OK)

    def _pop(self, kind: Key | None) -> Slot | None:
        with self._lock:
            free = self._free.get(kind)
            return None if free is None else self._out(kind, free, -1)

    def _push(self, slot: Slot) -> None:
        """Those not used for longest give way."""
        given_way: tuple[Slot, ...] = ()
        with self._lock:
            self._given_back += 1
            slot.given_back = self._given_back
            slot.counted = slot.size
            self._size += slot.counted
            same = self._free.get(slot.kind)
            if same is None:
                self._free[slot.kind] = [slot]
            else:
                same.append(slot)
            if self._size > self._most:
                given_way = self._give_way()
        for each in given_way:
            each.close()

    def _give_way(self) -> tuple[Slot, ...]:
        """Take out what is too much. With the lock held."""
        given_way = []
        while self._size > self._most:
            oldest = min(self._free, key=lambda kind: self._free[kind][0].given_back)
            given_way.append(self._out(oldest, self._free[oldest], 0))
        # To remove a directory and make another one takes longer than to make a rule set.
        self._spare += [each.tmp for each in given_way]
        return tuple(given_way)

    def _out(self, kind: Key | None, free: list[Slot], place: int) -> Slot:
        slot = free.pop(place)
        if not free:
            del self._free[kind]
        self._size -= slot.counted
        return slot

    def _emptied(self, slot: Slot) -> bool:
        try:
            if self._is_empty(slot.tmp_bytes, MODE):
                return True
        except OSError:  # not as it was made; or there is no descriptor to look
            return False
        return emptied(slot.tmp)


def _descriptors() -> int:
    """How many we may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_KEPT * _PART_OF_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
