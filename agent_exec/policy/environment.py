"""Variables that make a program run, load or read something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.table import TableError


class Environment(NamedTuple):
    """What a variable does, by its name. No kinds of effects: it is harmless."""

    exact: Mapping[str, tuple[EffectKind, ...]]
    """By NAME, and by NAME=VALUE, which counts before."""
    patterns: tuple[tuple[tuple[str, ...], tuple[EffectKind, ...]], ...]
    """Names with a star, the longest first: what stands before, between and after the stars."""

    def effects(self, name: str, value: str) -> tuple[Effect, ...]:
        """Of a variable that is set for a command. One that no rule knows is unknown."""
        kinds = self.exact.get(f"{name}={value}")
        if kinds is None:
            kinds = self.exact.get(name)
        if kinds is None:
            kinds = next((kinds for parts, kinds in self.patterns if _fits(name, parts)), None)
        if kinds is None:
            return (Effect(EffectKind.UNKNOWN, because=f"nobody has said what {name} does"),)
        return tuple([Effect(kind, because=f"the variable {name}") for kind in kinds])


def make_environment(source: Mapping[str, Any], where: str) -> Environment:
    """From ``environment.yaml``: ``harmless``, ``read``, ``execute``, ...: lists of names.

    A name may hold ``*``. Exact names come before those with a star, and among these the
    longer: so ``GIT_AUTHOR_NAME`` may be harmless where ``GIT_*`` executes. ``PAGER=cat``
    speaks of one value only.

    Raises:
        TableError: It has another key, or what is no list of names.
    """
    rules: dict[str, tuple[EffectKind, ...]] = {}
    for key, names in source.items():
        kinds = () if key == "harmless" else (_kind(key, where),)
        if not isinstance(names, Sequence) or isinstance(names, str):
            raise TableError(f"{where}.{key}: a list of names is wanted")
        for name in names:
            if not isinstance(name, str) or name in rules:
                raise TableError(f"{where}.{key}: {name!r} is no name, or stands there twice")
            rules[name] = kinds
    stars = sorted((name for name in rules if "*" in name), key=lambda name: (-len(name), name))
    return Environment(
        {name: kinds for name, kinds in rules.items() if "*" not in name},
        tuple((tuple(name.split("*")), rules[name]) for name in stars),
    )


def _kind(word: str, where: str) -> EffectKind:
    try:
        return EffectKind(word)
    except ValueError:
        raise TableError(f"{where}: {word!r} is no kind of effect, nor harmless") from None


def _fits(name: str, parts: tuple[str, ...]) -> bool:
    """Does `name` hold all `parts` in order, the first at its begin, the last at its end?

    No regular expressions: to compile one for each name takes longer than all else here.
    """
    first, *between, last = parts
    if not name.startswith(first):
        return False
    at, end = len(first), len(name) - len(last)
    for part in between:
        found = name.find(part, at, max(at, end))
        if found < 0:
            return False
        at = found + len(part)
    return at <= end and name.endswith(last)
