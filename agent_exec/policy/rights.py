"""What was granted to a command -> its rights. Pure.

A right follows from an effect. What only reads gets no right to write but in its temp
directory; code that nobody knows beforehand gets the worktree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent_exec.model.effect import EffectKind
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.coverage import Seen
from agent_exec.policy.paths import is_beneath_any
from agent_exec.policy.policy import SandboxSettings


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
    for command in granted:
        if command.program is not None:
            made.programs[command.program] = None
        if command.git:
            made.read(settings.git)
        for seen in command.effects:
            # Whoever opens a file hands it on: no right is needed to use it.
            if not (command.opened and seen.effect.because == "a redirection" and not seen.own):
                made.add(seen)
    return made.rights()


class _Made:
    _code = _attributes = _network = _signal = _installs = _writes_anywhere = False

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._more: dict[str, None] = {}
        self._write: dict[str, None] = dict.fromkeys(settings.write)
        self._make: dict[str, None] = {}
        self._remove: dict[str, None] = {}
        self._execute: dict[str, None] = {}
        self.programs: dict[str, None] = {}

    def read(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path.startswith("/") and not is_beneath_any(path, self._settings.read):
                self._more[path] = None

    def add(self, seen: Seen) -> None:
        kind = seen.effect.kind
        if kind is EffectKind.READ:
            self.read(seen.real)
        elif kind is EffectKind.WRITE:
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
        if self._code:
            self.read(settings.git)
        if self._code or self._writes_anywhere:
            self._attributes = True
            self._write.update(dict.fromkeys(settings.worktree))
        if self._writes_anywhere or self._installs or (self._code and self._network):
            self._write.update(dict.fromkeys(settings.caches))
        writable = tuple(self._write)
        return Rights(
            read=(*settings.read, *self._more) if self._more else settings.read,
            write=writable,
            make=_outside(self._make, writable) if self._make else (),
            remove=_outside(self._remove, writable) if self._remove else (),
            execute=tuple(self._execute),
            programs=tuple(self.programs),
            tmp=settings.tmp,
            code=self._code,
            attributes=self._attributes or bool(settings.write),
            network=self._network and settings.network,
            signal=self._signal,
        )


def _outside(paths: Iterable[str], folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([path for path in paths if not is_beneath_any(path, folders)])


def _is_absolute(path: str) -> bool:
    # A path of a process begins otherwise, and names nothing for another one.
    return path.startswith("/")
