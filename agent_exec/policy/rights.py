"""What was granted to a command -> its rights. Pure.

A right follows from an effect. What only reads gets no right to write but in its temp
directory; code that nobody knows beforehand gets the worktree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent_exec.model.effect import EffectKind
from agent_exec.model.rights import Rights
from agent_exec.policy.coverage import Seen
from agent_exec.policy.paths import is_beneath_any
from agent_exec.policy.policy import SandboxSettings

_READ = EffectKind.READ


class Granted(NamedTuple):
    """What one command, inner ones included, was granted."""

    program: str | None
    """Absolute; None: it is none, or nobody has found it."""
    effects: Sequence[Seen]
    git: bool = False
    """Is it git?"""
    opened: bool = False
    """Are the files of its redirections opened by us?"""


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


def rights_of(settings: SandboxSettings, granted: Sequence[Granted]) -> Rights:
    """The rights of a command of a call.

    Args:
        settings: Floor and ceiling.
        granted: To it, and to every command inside.
    """
    made = _Made(settings)
    for program, effects, git, opened in granted:
        if program is not None:
            made.programs[program] = None
        if git:
            made.read(settings.git)
        for seen in effects:
            (kind, _, _, because), real, _, own = seen
            # Whoever opens a file hands it on: no right is needed to use it.
            if opened and not own and because == "a redirection":
                continue
            if kind is _READ:
                made.read(real)
            else:
                made.add(seen)
    return made.rights()


class _Made:
    _only_reads = True
    _code = _attributes = _network = _signal = _installs = _writes_anywhere = False

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._more: dict[str, None] = {}
        self._make: dict[str, None] = {}
        self._remove: dict[str, None] = {}
        self._execute: dict[str, None] = {}
        self.programs: dict[str, None] = {}

    def read(self, paths: Iterable[str]) -> None:
        readable = self._settings.read
        for path in paths:
            if path[:1] == "/" and not is_beneath_any(path, readable):
                self._more[path] = None

    def add(self, seen: Seen) -> None:
        """What is not just read."""
        self._only_reads = False
        kind = seen.effect.kind
        if kind is EffectKind.WRITE:
            self._attributes = True
            self._make.update(dict.fromkeys(filter(_is_absolute, seen.real)))
            self._writes_anywhere |= not seen.real
        elif kind is EffectKind.DELETE:
            self.read(seen.real)
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
        tmp, attributes = settings.tmp, settings.write != ()
        programs = tuple(self.programs)
        # By name it takes three times as long to make them.
        if self._only_reads:
            read = (*settings.read, *self._more) if self._more else settings.read
            write = settings.write
            return Rights(read, write, (), (), (), programs, tmp, False, attributes)
        if self._code:
            self.read(settings.git)
        more: tuple[str, ...] = ()
        if self._code or self._writes_anywhere:
            attributes = True
            more = settings.worktree
        if self._writes_anywhere or self._installs or (self._code and self._network):
            more = (*more, *settings.caches)
        read = (*settings.read, *self._more)
        write = tuple(dict.fromkeys((*settings.write, *more)))
        make = _outside(self._make, write) if self._make else ()
        remove = _outside(self._remove, write) if self._remove else ()
        execute, code, signal = tuple(self._execute), self._code, self._signal
        attributes = attributes or self._attributes
        network = self._network and settings.network
        return Rights(
            *(read, write, make, remove, execute, programs, tmp),
            *(code, attributes, network, signal),
        )


def _outside(paths: Iterable[str], folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([path for path in paths if not is_beneath_any(path, folders)])


def _is_absolute(path: str) -> bool:
    # A path of a process begins otherwise, and names nothing for another one.
    return path.startswith("/")
