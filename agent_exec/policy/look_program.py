"""What programs are, and whether they are what their names say. Reads, never writes."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from agent_exec.policy.eyes import Eyes, Glance, MakeWitness, Status, Witness
from agent_exec.policy.facts import Program, absolute
from agent_exec.policy.look_path import real_path
from agent_exec.policy.paths import is_beneath
from agent_exec.policy.policy import Trust

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_KEPT = 1024


class Programs:
    """The programs of one worktree by one policy. Safe from any thread.

    What was found under a name is kept with the questions that it rests on. All of them are asked
    again for every call, at once by the witness; one other answer, and it is looked for anew.

    Args:
        path: Directories where names are looked up. Those in the worktree are left out, for who
            works there could put any program there; unless all are, as where the worktree is
            the system.
        worktree: Absolute, without links.
        trust: When a program is what its name says.
        witness: Makes what asks again; None: nothing is kept.
    """

    def __init__(
        self, path: Sequence[str], worktree: str, trust: Trust, witness: MakeWitness | None = None
    ) -> None:
        folders = [folder for folder in path if os.path.isabs(folder)]
        outside = [each for each in folders if not is_beneath(os.path.realpath(each), worktree)]
        self._worktree = worktree
        self._trust = trust
        self._folders = {each: os.path.realpath(each) for each in outside or folders}
        """Where names are looked up, and the same without links."""
        self._chains = {folder: _chain(folder) for folder in self._folders.values()}
        """Of each of those, itself and every directory above it."""
        self._witness = witness
        self._kept: dict[str, tuple[Program, tuple[Glance, ...], Witness]] = {}

    def find(self, name: str, cwd: str, eyes: Eyes) -> Program | None:
        """What `name` (a name, or a path as it was written) is for a command in `cwd`."""
        if "/" in name:
            return self._at(absolute(name, cwd), None, eyes)
        kept = self._kept.get(name)
        if kept is not None:
            program, glances, holds = kept
            if holds():
                eyes.saw(glances)
                return program
            self._kept.pop(name, None)
        if self._witness is None:
            return self._look_up(name, eyes)
        return self._keep(name, eyes, self._witness)

    def _keep(self, name: str, eyes: Eyes, witness: MakeWitness) -> Program | None:
        own = Eyes()
        found = self._look_up(name, own)
        glances = own.glances()
        if glances is None:
            eyes.lose()
            return found
        eyes.saw(glances)
        if found is not None and len(self._kept) < _MOST_KEPT:
            self._kept[name] = found, glances, witness(glances)
        return found

    def _look_up(self, name: str, eyes: Eyes) -> Program | None:
        for folder, real in self._folders.items():
            found = self._at(f"{folder}/{name}", real, eyes)
            if found is not None:
                return found
        return None

    def _at(self, candidate: str, folder: str | None, eyes: Eyes) -> Program | None:
        """The program there, if there is one. `folder`: where it lies, if that is known."""
        try:
            # The first question, because most answers are no, and lstat would raise.
            if not eyes.may_execute(candidate):
                return None
            status = eyes.lstat(candidate)
            is_link = stat.S_ISLNK(status.mode)
            if is_link:
                status = eyes.stat(candidate)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.mode):
            return None
        above, _, name = candidate.rpartition("/")
        if folder is None:
            folder = real_path(above or "/", eyes=eyes)
        real = (
            real_path(candidate, eyes=eyes)
            if is_link or name in ("", ".", "..")
            else f"{folder.rstrip('/')}/{name}"
        )
        return Program(candidate, real, self._distrusted(folder, real, status, eyes))

    def _distrusted(self, folder: str, real: str, status: Status, eyes: Eyes) -> str | None:
        if is_beneath(real, self._worktree):
            return "it lies in the worktree"
        if folder not in self._chains:
            return "it lies where no programs are looked up"
        trust = self._trust
        because = _distrusted_place(real, status, trust)
        if because is not None:
            return because
        above = real[: real.rfind("/")] or "/"
        # Whoever may write one of these may put another program there.
        chain = self._chains.get(above) or _chain(above)
        try:
            for place in chain if above == folder else (*chain, *self._chains[folder]):
                because = _distrusted_place(place, eyes.stat(place), trust)
                if because is not None:
                    return because
        except OSError:
            return f"{place} cannot be looked at"
        return None


def _distrusted_place(place: str, seen: Status, trust: Trust) -> str | None:
    if seen.uid not in trust.owners:
        return f"{place} belongs to user {seen.uid}"
    mode = seen.mode
    if not mode & _OTHERS_MAY_WRITE or trust.others_may_write:
        return None
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        # There nobody may replace what belongs to another, as in /tmp.
        return None
    return f"others than its owner may write {place}"


def _chain(folder: str) -> tuple[str, ...]:
    """`folder` and every directory above it."""
    chain = [folder]
    while chain[-1] != "/":
        chain.append(os.path.dirname(chain[-1]))
    return tuple(chain)
