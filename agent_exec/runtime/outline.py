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


class StageOutline(NamedTuple):
    """One stage."""

    program: str
    """Absolute path."""
    argv: tuple[str, ...]
    words: tuple[bytes, ...]
    """The same as bytes."""
    environment: tuple[bytes, ...]
    """But for the mark of the call, and a temp directory."""
    rights: Rights | None


class Outline(NamedTuple):
    """All stages of a call."""

    stages: tuple[StageOutline, ...]
    rights: tuple[Rights | None, ...]
    """Of each stage."""
    own_tmpdir: bool
    """Does the call itself set TMPDIR?"""


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
            environment.words(request.cwd, env, variables),
            granted,
        )
        for command, variables, granted in zip(request.commands, needed, rights, strict=True)
    ]
    return Outline(tuple(stages), tuple(rights), "TMPDIR" in env)


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
