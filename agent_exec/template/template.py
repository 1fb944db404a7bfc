"""A spawn template: an executable opened once, from which many children are started."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from agent_exec.errors import TemplateError
from agent_exec.model.action import Action
from agent_exec.model.plan import Executable, Identity, SpawnPlan
from agent_exec.template.holder import Holder
from agent_exec.template.pin import Pinned, on_noexec_mount, pin_descriptor, pin_path
from agent_exec.template.validate import validate

Word: TypeAlias = str | bytes
Environment: TypeAlias = Mapping[str, str] | Mapping[bytes, bytes] | Sequence[Word]


class Template:
    """An executable opened once, with its identity. It belongs to one process.

    What the path or the descriptor meant at `create` is what is executed, or the
    launch fails with ESTALE: see `check`. Knows no launcher; `agent_exec.SpawnTemplate`
    adds one.
    """

    def __init__(self, pinned: Pinned, credentials: bytes) -> None:
        self._open = [pinned.fd]
        self._holder: Holder | None = None
        self._executable = Executable(
            fd=pinned.fd,
            path=pinned.path,
            identity=pinned.identity,
            script=pinned.script,
            credentials=credentials,
            execfd=pinned.execfd,
        )

    @classmethod
    def create(
        cls, source: Word | os.PathLike[str] | int, *, credentials: bytes, busy: bool = False
    ) -> Self:
        """Pin the program at an absolute path, or behind a descriptor.

        Args:
            source: The path, or a descriptor open for reading; that stays the caller's.
            credentials: What `Launcher.credentials` says of the caller.
            busy: Also a path that somebody is writing to; see `pin_path`.

        Raises:
            TemplateError: See `agent_exec.template.pin`.
        """
        if isinstance(source, int):
            return cls(pin_descriptor(source), credentials)
        return cls(pin_path(source, busy=busy), credentials)

    def hold_by(self, holder: Holder) -> None:
        """Have `holder` make what it has for the file; it lets that go with our `close`.

        Raises:
            TemplateError, LaunchError, Closed: As `Holder.hold`; the template is closed then.
        """
        try:
            holder.hold(self.executable)
        except BaseException:
            self.close()
            raise
        self._holder = holder

    @property
    def executable(self) -> Executable:
        """The pinned part, borrowed: valid until `close`.

        Raises:
            TemplateError: EBADF when the template is closed.
        """
        if not self._open:
            raise TemplateError(self.name, errno.EBADF, "the template is closed")
        return self._executable

    @property
    def name(self) -> str:
        """The path as given, or words for a descriptor."""
        return self._executable.name

    def is_twin_of(self, other: Template) -> bool:
        """Were both made from the same file, as it was, with the same credentials?"""
        ours, theirs = self._executable, other._executable
        return (ours.identity, ours.credentials) == (theirs.identity, theirs.credentials)

    def check(self) -> None:
        """Is the file still the one that was pinned, where programs may be executed?

        Launchers ask the first half at every spawn.

        Raises:
            TemplateError: ESTALE when the path or the descriptor no longer has the
                identity, the path cannot be looked at, or its mount is noexec now. Not
                sticky: what is right again is right again.
        """
        pinned = self.executable
        try:
            seen = [os.fstat(pinned.fd)]
            if pinned.path is not None:
                seen.append(os.stat(pinned.path))
            noexec = on_noexec_mount(pinned)
        except OSError as error:
            raise TemplateError(self.name, errno.ESTALE, os.strerror(error.errno or 0)) from None
        if any(Identity.of(status) != pinned.identity for status in seen):
            raise TemplateError(self.name, errno.ESTALE)
        if noexec:
            raise TemplateError(self.name, errno.ESTALE, "its mount is noexec now")

    def plan(
        self,
        argv: Sequence[Word] | None,
        envp: Environment | None = None,
        actions: Sequence[Action] = (),
        *,
        inherit_fds: bool = False,
    ) -> SpawnPlan:
        """A plan for one child, with the RFC's defaults.

        Args:
            argv: The argument vector, program name first; None is one empty word.
            envp: The whole environment, as a mapping or ``NAME=value`` words; None is empty.
            actions: What the child does before exec, in order.
            inherit_fds: Keep descriptors above 2 that are not close-on-exec.

        Raises:
            TemplateError: EINVAL or E2BIG for malformed actions; EINVAL for an empty argv, for
                what is no word or holds a NUL, and for what names no variable; EBADF when
                the template is closed.
        """
        try:
            words = (b"",) if argv is None else _words(argv)
            environment = () if envp is None else _environment(envp)
        except (TypeError, ValueError) as error:
            raise TemplateError(self.name, errno.EINVAL, str(error)) from None
        if not words:
            raise TemplateError(self.name, errno.EINVAL, "argv is empty; argv[0] is part of it")
        return SpawnPlan(
            executable=self.executable,
            argv=words,
            envp=environment,
            actions=validate(actions, self.name),
            inherit_fds=inherit_fds,
        )

    def close(self) -> None:
        """Let the file go. Children that run keep it; plans made before are void. Idempotent."""
        try:
            fd = self._open.pop()  # one thread of any number gets it
        except IndexError:
            return
        if self._holder is not None:
            self._holder.release(self._executable)
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_open", ()):
            self.close()


def _words(words: Iterable[Word]) -> tuple[bytes, ...]:
    if isinstance(words, str | bytes):
        raise TypeError(f"{words!r} is one word, not a sequence of words")
    encoded = tuple([os.fsencode(word) for word in words])
    for word in encoded:
        if b"\0" in word:
            raise ValueError(f"a NUL in {word!r}")
    return encoded


def _environment(envp: Environment) -> tuple[bytes, ...]:
    if not isinstance(envp, Mapping):
        words = _words(envp)
        for word in words:
            if word.find(b"=") < 1:
                raise ValueError(f"{word!r} is not NAME=value")
        return words
    names = _words(envp.keys())
    for name in names:
        if not name or b"=" in name:
            raise ValueError(f"{name!r} is no name of a variable")
    return tuple([b"%b=%b" % pair for pair in zip(names, _words(envp.values()), strict=True)])
