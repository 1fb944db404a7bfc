"""Patterns that a person may choose to approve: the first words of a command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent_exec.model.decision import Decision, Route, Ruling, Verdict
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.question import Offer
from agent_exec.policy.paths import is_beneath
from agent_exec.schema.harmless import one_line


class Wide(NamedTuple):
    """Every command that begins with these words, and does no more than this."""

    words: tuple[str, ...]
    kinds: tuple[str, ...]
    """Kinds of effects that were approved."""
    outside: bool
    """Were paths outside of the worktree?"""


def offers(decision: Decision, cwd: str, worktree: str) -> tuple[Offer, ...]:
    """Patterns that may be remembered instead of this one call: its program and sub-command.

    None for what is not understood or runs other code, for a text that needs a shell, and for
    several commands.
    """
    asked = [ruling for ruling in decision.commands if ruling.verdict is Verdict.ASK]
    if decision.route is not Route.DIRECT or len(decision.commands) != 1 or len(asked) != 1:
        return ()
    (ruling,) = asked
    if ruling.program is None or any(map(_is_unclear, ruling.effects)):
        return ()
    wide = wide_of(ruling, (), cwd, worktree)
    where = "anywhere" if wide.outside else "in this worktree"
    limit = f"as long as it does no more than {', '.join(wide.kinds) or 'to compute'}, {where}"
    # Where options stand between, there is no beginning that is its name.
    if not ruling.name or ruling.argv[1 : len(ruling.name)] != ruling.name[1:]:
        return ()
    words = ruling.argv[: len(ruling.name)]
    return (Offer(words, f"every {one_line(shlex.join(words))} ..., {limit}"),)


def wide_of(ruling: Ruling, words: Sequence[str], cwd: str, worktree: str) -> Wide:
    """What the approval of a pattern with `words` covers, when `ruling` was asked about."""
    return Wide(
        tuple(words),
        tuple(sorted({effect.kind.value for effect in ruling.effects})),
        any(not _is_inside(path, cwd, worktree) for path in _paths(ruling)),
    )


def covered_by(wide: Iterable[Wide], decision: Decision, cwd: str, worktree: str) -> bool:
    """Was every command that is asked about approved by some pattern?"""
    if decision.verdict is not Verdict.ASK or decision.route is not Route.DIRECT:
        return False
    asked = [ruling for ruling in decision.commands if ruling.verdict is Verdict.ASK]
    patterns = list(wide)
    return bool(asked) and all(
        any(_covers(each, ruling, cwd, worktree) for each in patterns) for ruling in asked
    )


def _covers(wide: Wide, ruling: Ruling, cwd: str, worktree: str) -> bool:
    if ruling.argv[: len(wide.words)] != wide.words or ruling.program is None:
        return False
    if any(map(_is_unclear, ruling.effects)):
        return False
    if not {effect.kind.value for effect in ruling.effects}.issubset(wide.kinds):
        return False
    return wide.outside or all(_is_inside(path, cwd, worktree) for path in _paths(ruling))


def _is_unclear(effect: Effect) -> bool:
    """Not understood; or code, which another option would make other code."""
    return effect.kind is EffectKind.UNKNOWN or (
        effect.kind is EffectKind.EXECUTE and effect.argv is None
    )


def _paths(ruling: Ruling) -> list[str]:
    return [effect.path for effect in ruling.effects if effect.path is not None]


def _is_inside(path: str, cwd: str, worktree: str) -> bool:
    return is_beneath(os.path.realpath(os.path.join(cwd, path)), worktree)
