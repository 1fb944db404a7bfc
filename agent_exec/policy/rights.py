"""What was granted to a command -> its rights. Pure.

A right follows from an effect. What only reads gets no right to write but in its temp
directory; code that nobody knows beforehand gets the worktree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import new as _new
from agent_exec.policy.coverage import Seen
from agent_exec.policy.facts import Program
from agent_exec.policy.git_harden import GIT
from agent_exec.policy.paths import Places
from agent_exec.policy.policy import SandboxSettings

_READ = EffectKind.READ


Granted: TypeAlias = tuple[Analysed, Program | None, Sequence[Seen]]
"""What one command was granted: the command, its program, and everything that it does."""


def above_ceiling(settings: SandboxSettings, effects: Iterable[Seen]) -> str | None:
    """Why effects can never be granted, whatever the rules say; None when they can be."""
    if settings.network:
        return None
    for seen in effects:
        if seen.effect.kind is EffectKind.NETWORK:
            return (
                f"it uses the network, which the sandbox does not let it: {settings.network_said}"
            )
    return None


def rights_of(settings: SandboxSettings, granted: Sequence[Granted], *, direct: bool) -> Rights:
    """The rights of a command of a call.

    Args:
        settings: Floor and ceiling.
        granted: To it, and to every command inside.
        direct: Do we start it, and so open the files of its redirections?
    """
    programs: dict[str, None] = {}
    reads: list[str] = []
    others: list[Seen] = []
    for found, program, effects in granted:
        if program is not None:
            programs[program.path] = None
        if found.name[:1] == GIT:
            reads += settings.git
        for seen in effects:
            (kind, _, _, because), real, _, own = seen
            # Whoever opens a file hands it on: no right is needed to use it.
            if not own and because == "a redirection" and direct and found.of is None:
                continue
            if kind is _READ:
                reads += real
            else:
                others.append(seen)
    if others:
        return _Made(settings, programs, reads, others).rights()
    read = _readable(settings, reads)
    attributes = settings.write != ()
    tmp, ran = settings.tmp, tuple(programs)
    rights = (read, settings.write, (), (), (), ran, tmp, False, attributes, False, False)
    return _new(Rights, rights)


def _readable(settings: SandboxSettings, paths: Iterable[str]) -> tuple[str, ...]:
    """What is always readable, and `paths`."""
    always = settings.readable
    more: dict[str, None] = {}
    for path in paths:
        if not always.hold(path) and path[:1] == "/":
            more[path] = None
    return (*settings.read, *more) if more else settings.read


class _Made:
    """The rights of what does not only read.

    Args:
        settings: Floor and ceiling.
        programs: That are run.
        reads: Paths, made longer here.
        others: Effects that are no reads.
    """

    _code = False
    _attributes = False
    _network = False
    _signal = False
    _installs = False
    _writes_anywhere = False

    def __init__(
        self,
        settings: SandboxSettings,
        programs: Iterable[str],
        reads: list[str],
        others: Iterable[Seen],
    ) -> None:
        self._settings = settings
        self._programs = tuple(programs)
        self._reads = reads
        self._make: dict[str, None] = {}
        self._remove: dict[str, None] = {}
        self._execute: dict[str, None] = {}
        for seen in others:
            self._add(seen)

    def _add(self, seen: Seen) -> None:
        kind = seen.effect.kind
        if kind is EffectKind.WRITE:
            self._attributes = True
            self._make.update(dict.fromkeys(filter(_is_absolute, seen.real)))
            self._writes_anywhere |= not seen.real
        elif kind is EffectKind.DELETE:
            self._reads += seen.real
            self._remove.update(dict.fromkeys(filter(_is_absolute, seen.real)))
            self._writes_anywhere |= not seen.real
        elif kind is EffectKind.EXECUTE:
            if seen.effect.argv is None:
                self._code = True
                self._execute.update(dict.fromkeys(filter(_is_absolute, seen.real)))
        elif kind is EffectKind.NETWORK:
            self._network = True
        elif kind is EffectKind.STATE:
            self._signal = True
            # Services are spoken to through sockets.
            self._network |= self._settings.network
        elif kind is EffectKind.PRIVILEGE:
            self._attributes = True
        else:
            self._code = self._installs = self._signal = True
            self._network |= self._settings.network

    def rights(self) -> Rights:
        settings = self._settings
        attributes = self._attributes or settings.write != ()
        if self._code:
            self._reads += settings.git
        more: tuple[str, ...] = ()
        if self._code or self._writes_anywhere:
            attributes = True
            more = settings.worktree
        if self._writes_anywhere or self._installs or (self._code and self._network):
            more = (*more, *settings.caches)
        read = _readable(settings, self._reads)
        write = tuple(dict.fromkeys((*settings.write, *more)))
        make = _outside(self._make, write) if self._make else ()
        remove = _outside(self._remove, write) if self._remove else ()
        execute, network = tuple(self._execute), self._network and settings.network
        return Rights(
            *(read, write, make, remove, execute, self._programs, settings.tmp),
            *(self._code, attributes, network, self._signal),
        )


def _outside(paths: Iterable[str], folders: tuple[str, ...]) -> tuple[str, ...]:
    inside = Places(folders)
    return tuple([path for path in paths if not inside.hold(path)])


def _is_absolute(path: str) -> bool:
    # A path of a process begins otherwise, and names nothing for another one.
    return path.startswith("/")
