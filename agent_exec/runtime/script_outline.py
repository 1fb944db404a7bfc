"""What of a text that runs without a shell follows from it and its decision alone.

See `agent_exec.runtime.alike`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from agent_exec.model.decision import Decision, Grant
from agent_exec.model.effect import EffectKind
from agent_exec.model.rights import Rights
from agent_exec.model.script import Pipeline, SimpleCommand
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.environment import ChildEnvironment
from agent_exec.runtime.outline import StageOutline, Words, words_of
from agent_exec.shell.builtins import BUILTINS
from agent_exec.shell.builtins.state import ShellState

Variables: TypeAlias = tuple[tuple[str, str], ...]


class Needs(NamedTuple):
    """What a command is to be run with, and what it may do."""

    variables: Variables
    rights: Rights | None
    program: str | None = None
    """Which one was judged; None: it has to be looked up."""


Judged: TypeAlias = Mapping[tuple[str, ...], Needs]
"""By argument vector; not those that differ from place to place."""


class ScriptOutline(NamedTuple):
    """Of a whole text."""

    given: Mapping[str, str]
    """Variables that the call sets."""
    base: Mapping[str, str]
    """Those that it gets beside these."""
    state: ShellState
    """Before the first command."""
    judged: Judged
    may_change: bool
    """Does any command do more than to read? Then facts may be others afterwards."""
    stages: tuple[tuple[StageOutline | None, ...], ...]
    """Of each command of each pipeline, while `state` and `judged` are what they are here; None
    of one of which more has to be known than that."""


def script_outline_of(environment: ChildEnvironment, grant: Grant) -> ScriptOutline:
    """That of a call with a script."""
    request, decision = grant.request, grant.decision
    assert request.script is not None
    given = dict(request.call.env or {})
    base = environment.variables(request.cwd)
    judged = _judged(decision)
    stages = [
        tuple(
            [
                None
                if errors_too
                else _stage(simple, judged, environment, cwd=request.cwd, given=given)
                for simple, errors_too in zip(
                    item.pipeline.commands, _errors_too(item.pipeline), strict=True
                )
            ]
        )
        for item in request.script.items
    ]
    return ScriptOutline(
        given,
        base,
        ShellState(request.cwd, {**base, **given}),
        judged,
        _may_change(decision),
        tuple(stages),
    )


def _errors_too(pipeline: Pipeline) -> tuple[bool, ...]:
    missing = len(pipeline.commands) - len(pipeline.errors_too)
    return (*pipeline.errors_too, *[False] * missing)


def _stage(
    simple: SimpleCommand,
    judged: Judged,
    environment: ChildEnvironment,
    *,
    cwd: str,
    given: Mapping[str, str],
) -> StageOutline | None:
    """Of a program that is called by words that stand for themselves, and nothing beside them."""
    if simple.assignments or simple.redirections:
        return None
    literals = [word.literal if word.pieces else None for word in simple.words]
    argv = tuple([text for text in literals if text is not None])
    needs = judged.get(argv)
    if len(argv) < len(literals) or needs is None or needs.program is None or argv[0] in BUILTINS:
        return None
    # What the decision sets is set over what the call does.
    words = environment.words(cwd, given, needs.variables)
    own = "TMPDIR" in given
    return StageOutline(
        needs.program, argv, words_of(argv), Words.of(words, own_tmpdir=own), needs.rights
    )


def _judged(decision: Decision) -> Judged:
    found: dict[tuple[str, ...], set[Needs]] = {}
    for ruling in decision.commands:
        if ruling.of is None:
            needs = Needs(ruling.variables, ruling.rights, ruling.program)
            found.setdefault(ruling.argv, set()).add(needs)
    return {argv: next(iter(each)) for argv, each in found.items() if len(each) == 1}


def _may_change(decision: Decision) -> bool:
    return any(
        effect.argv is None and effect.kind is not EffectKind.READ
        for ruling in decision.commands
        for effect in ruling.effects
    )
