"""Rights -> `Confinement`: the sandbox of one tool, and what each of its calls has of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from agent_exec.model.confinement import Confinement, Filter
from agent_exec.model.plan import Executable, SpawnPlan
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox.access import Floor, Places, access_to_tmp, accesses, find_floor
from agent_exec.sandbox.box import Box
from agent_exec.sandbox.core import Core
from agent_exec.sandbox.kinds import Kind, Kinds
from agent_exec.sandbox.limits import Bounds, Rlimits, threads_of_user
from agent_exec.sandbox.programs import started_with
from agent_exec.sandbox.protected import Protected
from agent_exec.sandbox.rule_sets import RuleSet, RuleSets, Wanted
from agent_exec.sandbox.slots import Slot, Slots
from agent_exec.sandbox.tmp import TmpFolders

FilterMaker: TypeAlias = Callable[[bool, bool, int], Filter]
"""From: may it write, may it use the network, and the version of Landlock."""
_COUNT_AGAIN_S = 1.0


class Enforced(NamedTuple):
    """What this machine, with this launcher, holds children to."""

    landlock: int = 0
    """Its version; 0: none."""
    filter: FilterMaker | None = None
    """None: seccomp cannot be had."""
    bubblewrap: bool = False
    """Does it work here, with both?"""


class Sandbox:
    """Confines the calls of one tool. Safe from any thread.

    Args:
        enforced: What can be.
        bounds: Limits of every process.
        places: What paths mean.
        core: What is done in C.
        tmp_folders: Where the temp directories of calls are: the first that can be had.
        protected: What is looked at around every call that could write there.
        box: Runs children through bubblewrap, too; None: it is not wanted.
    """

    def __init__(
        self,
        enforced: Enforced,
        bounds: Bounds,
        places: Places,
        *,
        core: Core,
        tmp_folders: Sequence[str],
        protected: Protected,
        box: Box | None = None,
    ) -> None:
        self._enforced = enforced
        self.bounds = bounds
        """Limits of every process."""
        self.protected = protected
        """What is looked at around every call that could write there."""
        self.box = box
        self._places = places
        self._floor: Floor | None = None
        self._filters: dict[tuple[bool, bool], Filter] = {}
        self._counted: tuple[float, int | None] = (float("-inf"), None)
        self._lock = threading.Lock()
        self._rlimits = Rlimits(bounds)
        self.kinds = Kinds()
        self.rule_sets = RuleSets(max(enforced.landlock, 1), core)
        self.slots = Slots(TmpFolders(*tmp_folders), core.is_empty)

    def enter(self, timeout_s: float | None) -> Cell:
        """What one call, with this deadline, has of it; to be left."""
        return Cell(self, timeout_s)

    def close(self) -> None:
        """Let go what is kept, remove the temp directories."""
        self.slots.close()
        if self.box is not None:
            self.box.close()

    def rule_set(
        self, slot: Slot, kind: Kind, rights: Rights, executable: Executable
    ) -> RuleSet | None:
        """The one of `slot` for `rights`; None without Landlock. Raises as `RuleSets.make`."""
        if not self._enforced.landlock:
            return None
        kept = slot.rule_set(kind, self.rule_sets.is_right)
        if kept is None:
            kept = self.rule_sets.make(
                kind, slot.tmp, executable.fd, lambda: self._wanted(rights, executable.name)
            )
            slot.add(kind, kept)
        return kept

    def confinement(
        self, rights: Rights, rule_set: RuleSet | None, timeout_s: float | None
    ) -> Confinement:
        """What a child with `rights` does to itself."""
        return Confinement(
            landlock=None if rule_set is None else rule_set.fd,
            filter=self._filter(rights),
            rlimits=self._rlimits.of(timeout_s, self._running()),
        )

    def _wanted(self, rights: Rights, program: str) -> Wanted:
        if self._floor is None:
            self._floor = find_floor()
        access = accesses(rights, program, self._floor, self._places)
        settled = {*self._floor.readable, *self._floor.loaders, *self._places.settled}
        watched = [
            path
            for path in access
            if path not in settled and not path.startswith(("/usr/", "/opt/", "/dev/"))
        ]
        watched += [path for path in started_with(program, self._places.path) if path in access]
        of_tmp = access_to_tmp(rights)
        return Wanted(access, of_tmp, rights.network, rights.signal, tuple(watched))

    def _filter(self, rights: Rights) -> Filter | None:
        make = self._enforced.filter
        if make is None:
            return None
        which = (rights.attributes, rights.network)
        made = self._filters.get(which)
        if made is None:
            # Two threads may make the same; the first is kept, for spawners are kept by it.
            made = self._filters.setdefault(which, make(*which, self._enforced.landlock))
        return made

    def _running(self) -> int | None:
        """Threads of the user, as of a moment ago."""
        if self.bounds.processes is None:
            return None
        at, count = self._counted
        if time.monotonic() - at < _COUNT_AGAIN_S:
            return count
        with self._lock:
            at, count = self._counted
            if time.monotonic() - at >= _COUNT_AGAIN_S:
                count = threads_of_user()
                self._counted = (time.monotonic(), count)
            return count


class Cell:
    """What one call has of a sandbox, until it is left: nothing before it is asked for.

    Of one thread at a time.
    """

    # Most calls change few of these: set here, they are not set for each call.
    _slot: Slot | None = None
    _notes: Slot | None = None
    _boxed = 0
    _left = False

    def __init__(self, sandbox: Sandbox, timeout_s: float | None) -> None:
        self._sandbox = sandbox
        self._timeout_s = timeout_s

    def tmp_for(self, rights: Rights, executable: Executable) -> bytes:
        """Its temp directory, for a stage with these rights: absolute, without links.

        Raises:
            OSError: It cannot be had.
        """
        slot = self._slot or self._take(self._sandbox.kinds.of(rights, executable))
        return slot.tmp_bytes

    def confinement(self, rights: Rights, executable: Executable) -> Confinement:
        """What a child of the call that becomes `executable` does to itself.

        Good until the call is left.

        Raises:
            OSError: A temp directory or a rule set cannot be had.
        """
        sandbox = self._sandbox
        kind = sandbox.kinds.of(rights, executable)
        slot = self._slot or self._take(kind)
        rule_set = sandbox.rule_set(slot, kind, rights, executable)
        return sandbox.confinement(rights, rule_set, self._timeout_s)

    def boxed(self, stage: SpawnPlan, rights: Rights) -> tuple[SpawnPlan, str]:
        """A confined stage, to be run in bubblewrap; and the file that says what became of it.

        Raises:
            OSError: A descriptor or file cannot be had.
            TemplateError: Bubblewrap is not what it was when it was tried.
        """
        box = self._sandbox.box
        assert box is not None, "who asks has looked"
        kind = self._sandbox.kinds.of(rights, stage.executable)
        slot = self._slot or self._take(kind)
        rule_set = self._sandbox.rule_set(slot, kind, rights, stage.executable)
        assert rule_set is not None, "without Landlock there is no box"
        if self._notes is None:
            self._notes = self._sandbox.slots.take(None)
        told = f"{self._notes.tmp}/{self._boxed}"
        self._boxed += 1
        os.close(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return box.plan(stage, rights, rule_set, tmp=slot.tmp, told=told), told

    def leave(self, *, alone: bool, in_use: bool = False) -> None:
        """Give everything back, empty the temp directory. Idempotent.

        Args:
            alone: Is nothing of the call left that could write there?
            in_use: Is something left that may go on using it? Then it stays until `close`.
        """
        self._left = True
        slots = self._sandbox.slots
        if self._notes is not None:
            slots.give_back(self._notes, again=alone)
        if self._slot is not None:
            slots.give_back(self._slot, again=alone, in_use=in_use)
        self._notes = self._slot = None

    def _take(self, kind: Kind) -> Slot:
        """The one slot of the call, chosen by its first stage."""
        assert not self._left, "nobody would give it back"
        self._slot = taken = self._sandbox.slots.take(kind)
        return taken
