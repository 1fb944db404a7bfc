"""What of a plan follows from a call and its decision alone; see `agent_exec.runtime.alike`.

At each run only descriptors, the mark and what the sandbox gives are added.
"""

from __future__ import annotations

import os

from agent_exec.errors import InvalidCall
from agent_exec.model.decision import Decision, Grant
from agent_exec.model.request import Command
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.environment import ChildEnvironment

TMPDIR = b"TMPDIR="


class Words(NamedTuple):
    """An environment, but for the mark of the call."""

    all: tuple[bytes, ...]
    """Where there is no temp directory, or the call names one itself."""
    others: tuple[bytes, ...]
    """Without TMPDIR."""
    own_tmpdir: bool
    """Does the call itself set TMPDIR? Then it stays."""

    @classmethod
    def of(cls, words: tuple[bytes, ...], *, own_tmpdir: bool) -> Words:
        """Those of one stage."""
        others = tuple([word for word in words if not word.startswith(TMPDIR)])
        return cls(words, others, own_tmpdir)


class StageOutline(NamedTuple):
    """One stage."""

    program: str
    """Absolute path."""
    argv: tuple[str, ...]
    words: tuple[bytes, ...]
    """The same as bytes."""
    environment: Words
    rights: Rights | None


class Outline(NamedTuple):
    """All stages of a call."""

    stages: tuple[StageOutline, ...]
    rights: tuple[Rights | None, ...]
    """Of each stage."""


def outline_of(environment: ChildEnvironment, grant: Grant) -> Outline:
    """That of a call without a script.

    Raises:
        InvalidCall: A shell is to run commands that need different things.
    """
    request, decision = grant.request, grant.decision
    env = request.call.env or {}
    needed = [ruling.variables for ruling in decision.commands if ruling.of is None]
    rights = [ruling.rights for ruling in decision.commands if ruling.of is None]
    if request.needs_shell is not None:
        needed, rights = [_for_all(decision)], [decision.rights]
    stages = [
        StageOutline(
            _program(command),
            command.argv,
            words_of(command.argv),
            Words.of(environment.words(request.cwd, env, variables), own_tmpdir="TMPDIR" in env),
            granted,
        )
        for command, variables, granted in zip(request.commands, needed, rights, strict=True)
    ]
    return Outline(tuple(stages), tuple(rights))


def words_of(argv: tuple[str, ...]) -> tuple[bytes, ...]:
    """An argument vector as bytes."""
    return tuple([os.fsencode(word) for word in argv])


def _program(command: Command) -> str:
    assert command.program is not None, "resolve() finds the program of every stage"
    return command.program


def _for_all(decision: Decision) -> tuple[tuple[str, str], ...]:
    """What the commands within a text need to be run with, when one shell runs them.

    Raises:
        InvalidCall: They need different things.
    """
    needed = {ruling.variables for ruling in decision.commands if ruling.variables}
    if len(needed) > 1:
        raise InvalidCall(
            "the commands in this text must be run with different settings; send them one by one"
        )
    return needed.pop() if needed else ()
