"""Is what a command has become, once its words are known, what a person approved?"""

from __future__ import annotations

import fnmatch
import os

from agent_exec.model.decision import Decision
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.paths import is_beneath, normal


def was_approved(approved: Decision, again: Decision, *, cwd: str, worktree: str) -> bool:
    """Does every effect of `again` belong to what was approved, on files where it was said?

    Args:
        approved: On the whole call, before it ran.
        again: On one command, with the words and the links of now.
        cwd: Where the command works.
        worktree: Absolute, without links.
    """
    known = [(effect, ruling.cwd) for ruling in approved.commands for effect in ruling.effects]
    return all(
        any(_belongs(effect, ruling.cwd, *each) for each in known)
        and _stays(effect, ruling.cwd or cwd, worktree)
        for ruling in again.commands
        for effect in ruling.effects
    )


def _belongs(effect: Effect, here: str | None, approved: Effect, there: str | None) -> bool:
    if effect.kind is not approved.kind:
        return False
    if effect.path is None or approved.path is None:
        return effect.path == approved.path and (effect.argv is None) is (approved.argv is None)
    if _named(effect.path, here) == _named(approved.path, there):
        return True
    if _named("", here) != _named("", there) and not os.path.isabs(effect.path):
        return False
    return _is_match(effect.path, approved.path)


def _named(path: str, here: str | None) -> str:
    return normal(os.path.join(here or "", path))


def _is_match(path: str, pattern: str) -> bool:
    """What was approved may be a glob, of which this is a match: no star stands for a slash."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _stays(effect: Effect, cwd: str, worktree: str) -> bool:
    """No link has appeared that leads what is named inside to the outside."""
    if effect.path is None:
        return True
    named = os.path.join(cwd, effect.path)
    if not is_beneath(normal(named), worktree):
        return True
    if effect.kind is EffectKind.DELETE:
        # A link itself goes, not what it leads to; but with a slash behind it.
        named = os.path.dirname(named)
    return is_beneath(os.path.realpath(named), worktree)
