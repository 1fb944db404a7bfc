"""What a text that runs without a shell is made of while it runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from typing import Literal, TypeAlias

from agent_exec.errors import TemplateError
from agent_exec.model.action import Action
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan, Executable, Stdio, TemplateUse
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.exec_errors import is_text
from agent_exec.runtime.outline import words_of
from agent_exec.runtime.redirect import Redirected
from agent_exec.template.cache import Lease, TemplateCache


class Write(NamedTuple):
    """Bytes of a builtin for a descriptor of the caller; may block."""

    fd: int
    data: bytes


Input: TypeAlias = bytes | int | Literal[Stdio.NULL]
StepToTake: TypeAlias = CallPlan | Write
Steps: TypeAlias = Generator[StepToTake, Outcome | None, None]


class Found:
    """A program that was found, and its template until `release`."""

    def __init__(
        self,
        argv: tuple[str, ...],
        program: str,
        lease: Lease,
        name: str,
        words: tuple[bytes, ...] | None = None,
    ) -> None:
        self._argv = argv
        self.words = words_of(argv) if words is None else words
        """What it gets; not the words of the stage where bash reads a file as a text."""
        self.program = program
        self._lease = lease
        # A script is told the words by which it was executed.
        self._called = os.fsencode(name) if "/" in name else None

    @property
    def executable(self) -> Executable:
        """See `SpawnPlan`."""
        executable = self._lease.template.executable
        if self._called is None or not executable.script:
            return executable
        return executable.but(called=self._called)

    @property
    def use(self) -> TemplateUse:
        """How the template was come by."""
        return self._lease.use

    @property
    def because(self) -> str | None:
        """Why it was made again; None when it was not."""
        return self._lease.because

    def renew(self, cache: TemplateCache, shell: str) -> None:
        """Take a fresh template in place of a stale one; of `shell` where that must read it.

        Raises:
            TemplateError: It can be executed no more.
        """
        try:
            self._lease = cache.renew(self._lease)
        except TemplateError as error:
            if error.errno != errno.ENOEXEC or not is_text(self.program):
                raise
            self._lease = cache.lease(shell)
            self.words = words_of(as_text(self._argv, self.program))

    def release(self) -> None:
        """Give the template back. Idempotent."""
        self._lease.release()


def as_text(argv: tuple[str, ...], program: str) -> tuple[str, ...]:
    """The words by which bash reads a file that is no program."""
    return ("bash", argv[0] if "/" in argv[0] else program, *argv[1:])


class Program(NamedTuple):
    """A stage that is spawned."""

    argv: tuple[str, ...]
    found: Found
    envp: tuple[bytes, ...]
    actions: tuple[Action, ...]
    said: Said
    rights: Rights | None


class Result(NamedTuple):
    """A stage that is over already: a builtin, or a command that could not be run."""

    argv: tuple[str, ...]
    status: int
    out: bytes
    """For whatever is behind it in the pipeline."""


class End(NamedTuple):
    """How a stage ended: `status` or `signal`."""

    pid: int
    """Ours, where nothing was spawned."""
    status: int | None
    signal: int | None


class Said:
    """What a stage that is not spawned writes, and where."""

    def __init__(self, opened: Redirected, line: int, *, piped: bool) -> None:
        self.opened = opened
        self.line = line
        self.piped = piped
        """Another stage reads its output."""
        self.pipe = b""

    def result(self, argv: tuple[str, ...], status: int) -> Result:
        return Result(argv, status, self.pipe)
