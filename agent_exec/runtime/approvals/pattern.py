"""Patterns that a person may choose to approve: the first words of a command."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agent_exec.model.decision import Decision, Route, Ruling, Verdict
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.question import Offer
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.paths import is_beneath
from agent_exec.schema.harmless import escaped

_ON_FILES = frozenset({EffectKind.READ, EffectKind.WRITE, EffectKind.DELETE})


class Wide(NamedTuple):
    """Every command that begins with these words, and does no more than this."""

    words: tuple[str, ...]
    does: Mapping[str, tuple[str, ...]]
    """Kind of effect -> directories (absolute, without links) beneath which it was approved;
    none for what has no path."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that asked: what another rule asks about was not spoken of."""


def offers(decision: Decision, cwd: str, worktree: str) -> tuple[Offer, ...]:
    """Patterns that may be remembered instead of this one call: its program and sub-command.

    None for what is not understood, runs other code or works on files without names, for a
    text that needs a shell, and for several commands.
    """
    asked = [ruling for ruling in decision.commands if ruling.verdict is Verdict.ASK]
    if decision.route is not Route.DIRECT or len(decision.commands) != 1 or len(asked) != 1:
        return ()
    (ruling,) = asked
    if ruling.program is None or any(map(_is_unclear, ruling.effects)):
        return ()
    # Where options stand between, there is no beginning that is its name.
    if not ruling.name or ruling.argv[1 : len(ruling.name)] != ruling.name[1:]:
        return ()
    wide = wide_of(ruling, ruling.argv[: len(ruling.name)], cwd, worktree)
    if any("/" in folders for folders in wide.does.values()):
        return ()  # that would be everywhere
    return (Offer(wide.words, _covers_in_words(wide)),)


def wide_of(ruling: Ruling, words: Sequence[str], cwd: str, worktree: str) -> Wide:
    """What the approval of a pattern with `words` covers, when `ruling` was asked about."""
    does: dict[str, set[str]] = {}
    for effect in ruling.effects:
        folders = does.setdefault(effect.kind.value, set())
        if effect.path is not None:
            folders.add(_folder(_real(effect, ruling.cwd or cwd), worktree))
    return Wide(
        tuple(words), {kind: tuple(sorted(does[kind])) for kind in sorted(does)}, ruling.rules
    )


def covered_by(wide: Iterable[Wide], decision: Decision, cwd: str) -> bool:
    """Was every command that is asked about approved by some pattern?"""
    if decision.verdict is not Verdict.ASK or decision.route is not Route.DIRECT:
        return False
    asked = [ruling for ruling in decision.commands if ruling.verdict is Verdict.ASK]
    patterns = list(wide)
    return bool(asked) and all(
        any(_covers(each, ruling, cwd) for each in patterns) for ruling in asked
    )


def _covers(wide: Wide, ruling: Ruling, cwd: str) -> bool:
    if ruling.argv[: len(wide.words)] != wide.words or ruling.program is None:
        return False
    if not set(ruling.rules).issubset(wide.rules):
        return False
    return all(_belongs(wide, effect, ruling.cwd or cwd) for effect in ruling.effects)


def _belongs(wide: Wide, effect: Effect, here: str) -> bool:
    folders = wide.does.get(effect.kind.value)
    if folders is None or _is_unclear(effect):
        return False
    if effect.path is None:
        return True
    real = _real(effect, here)
    return any(is_beneath(real, folder) for folder in folders)


def _is_unclear(effect: Effect) -> bool:
    """Not understood; on files that nobody can name; or code, of which there is any other."""
    if effect.kind is EffectKind.EXECUTE:
        return effect.argv is None
    return effect.kind is EffectKind.UNKNOWN or (effect.kind in _ON_FILES and effect.path is None)


def _real(effect: Effect, here: str) -> str:
    """Without links; what is removed is a link itself."""
    assert effect.path is not None
    named = os.path.join(here, effect.path)
    folder, name = os.path.split(named)
    if effect.kind is EffectKind.DELETE and name not in ("", ".", ".."):
        return os.path.join(os.path.realpath(folder), name)
    return os.path.realpath(named)


def _folder(real: str, worktree: str) -> str:
    """Beneath what a pattern counts, when `real` was approved."""
    if is_beneath(real, worktree):
        return worktree
    return real if os.path.isdir(real) else os.path.dirname(real)


def _covers_in_words(wide: Wide) -> str:
    import shlex  # noqa: PLC0415 - for people only

    return f"every {escaped(shlex.join(wide.words))} ..., as long as it does no more than " + (
        ", ".join(_limits(wide)) or "to compute"
    )


def _limits(wide: Wide) -> Iterator[str]:
    for kind, folders in wide.does.items():
        where = " or ".join(map(escaped, folders))
        yield f"{kind} beneath {where}" if where else kind
