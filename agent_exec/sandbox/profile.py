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
from agent_exec.sandbox.access import Floor, Places, accesses, find_floor
from agent_exec.sandbox.box import Box
from agent_exec.sandbox.limits import Bounds, rlimits, threads_of_user
from agent_exec.sandbox.programs import started_with
from agent_exec.sandbox.protected import Protected
from agent_exec.sandbox.rule_sets import Key, RuleSet, RuleSets, Wanted
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
        self.rule_sets = RuleSets(max(enforced.landlock, 1))
        self.tmp = TmpFolders(*tmp_folders)

    def enter(
        self, timeout_s: float | None, first: tuple[Rights, Executable] | None = None
    ) -> Cell:
        """What one call needs, to be left.

        Args:
            timeout_s: Of the call.
            first: Of its first stage, if that is known: a rule set takes milliseconds to make,
                so it gets a temp directory that is in one for the same.

        Raises:
            OSError: A temp directory cannot be had.
        """
        liked = None if first is None else self.rule_sets.endings(_key(*first))
        return Cell(self, self.tmp.take(liked), timeout_s)

    def close(self) -> None:
        """Let go what is kept, remove the temp directories."""
        self.rule_sets.close()
        self.tmp.close()
        if self.box is not None:
            self.box.close()

    def lease(self, rights: Rights, executable: Executable, tmp: str) -> RuleSet | None:
        """The rule set for `rights`; None without Landlock. Raises as `RuleSets.lease`."""
        if not self._enforced.landlock:
            return None
        program = os.fsdecode(executable.path or b"")
        return self.rule_sets.lease(
            (*_key(rights, executable), tmp),
            lambda: self._wanted(rights, program, tmp, executable.fd),
        )

    def confinement(
        self, rights: Rights, rule_set: RuleSet | None, timeout_s: float | None
    ) -> Confinement:
        """What a child with `rights` does to itself."""
        return Confinement(
            landlock=None if rule_set is None else rule_set.fd,
            filter=self._filter(rights),
            rlimits=rlimits(self.bounds, timeout_s=timeout_s, running=self._running()),
        )

    def _wanted(self, rights: Rights, program: str, tmp: str, pinned: int) -> Wanted:
        if self._floor is None:
            self._floor = find_floor()
        access = accesses(rights, program, tmp, self._floor, self._places)
        settled = {*self._floor.readable, *self._floor.loaders, *self._places.settled}
        watched = [
            path
            for path in access
            if path not in settled and not path.startswith(("/usr/", "/opt/", "/dev/"))
        ]
        watched += [path for path in started_with(program, self._places.path) if path in access]
        return Wanted(access, rights.network, rights.signal, tuple(watched), pinned)

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
        with self._lock:
            at, count = self._counted
            if time.monotonic() - at >= _COUNT_AGAIN_S:
                count = threads_of_user()
                self._counted = (time.monotonic(), count)
            return count


class Cell:
    """What one call has of a sandbox, until it is left."""

    def __init__(self, sandbox: Sandbox, tmp: str, timeout_s: float | None) -> None:
        self.tmp = tmp
        """Its temp directory: absolute, without links."""
        self._sandbox = sandbox
        self._timeout_s = timeout_s
        self._held: list[RuleSet] = []
        self._notes: str | None = None
        self._boxed = 0
        self._left = False

    def confinement(self, rights: Rights, executable: Executable) -> Confinement:
        """What a child of the call that becomes `executable` does to itself.

        Good until the call is left.

        Raises:
            OSError: A rule set cannot be had.
        """
        rule_set = self._sandbox.lease(rights, executable, self.tmp)
        if rule_set is not None:
            self._held.append(rule_set)
        return self._sandbox.confinement(rights, rule_set, self._timeout_s)

    def boxed(self, stage: SpawnPlan, rights: Rights) -> tuple[SpawnPlan, str]:
        """A confined stage, to be run in bubblewrap; and the file that says what became of it.

        Raises:
            OSError: A descriptor or file cannot be had.
            TemplateError: Bubblewrap is not what it was when it was tried.
        """
        box = self._sandbox.box
        assert box is not None, "who asks has looked"
        rule_set = self._sandbox.lease(rights, stage.executable, self.tmp)
        assert rule_set is not None, "without Landlock there is no box"
        self._held.append(rule_set)
        if self._notes is None:
            self._notes = self._sandbox.tmp.take()
        told = f"{self._notes}/{self._boxed}"
        self._boxed += 1
        os.close(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return box.plan(stage, rights, rule_set, tmp=self.tmp, told=told), told

    def leave(self, *, alone: bool, in_use: bool = False) -> None:
        """Give everything back, empty the temp directory. Idempotent.

        Args:
            alone: Is nothing of the call left that could write there?
            in_use: Is something left that may go on using it? Then it stays until `close`.
        """
        if self._left:
            return
        self._left = True
        for rule_set in self._held:
            self._sandbox.rule_sets.release(rule_set)
        if self._notes is not None:
            self._sandbox.tmp.give_back(self._notes, again=alone)
        if in_use or not self._sandbox.tmp.give_back(self.tmp, again=alone):
            self._sandbox.rule_sets.forget(self.tmp)


def _key(rights: Rights, executable: Executable) -> Key:
    """What a rule set is for, but for the temp directory.

    Programs are in it by what they are now: rights are to files, and an update replaces these.
    """
    program, identity = os.fsdecode(executable.path or b""), executable.identity
    others = [_file(each) for each in rights.programs if each != program]
    return (rights, program, identity.dev, identity.ino, *others)


def _file(path: str) -> tuple[int, int] | None:
    """Which file is there now."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
