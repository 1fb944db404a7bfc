"""Which rules cover a command: the two readings of a rule.

A rule that asks or denies covers a command as soon as it may be meant. One that allows covers
only effects that it surely speaks of.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.facts import Program
from agent_exec.policy.paths import PathSet
from agent_exec.policy.policy import Pattern, Rule

_READ = EffectKind.READ
_ON_FILES = frozenset({_READ, EffectKind.WRITE, EffectKind.DELETE, EffectKind.EXECUTE})


class Seen(NamedTuple):
    """An effect, and where its path leads."""

    effect: Effect
    real: tuple[str, ...]
    """Without links; more than one where it is a pattern. Empty: nobody knows."""
    named: str | None
    """Absolute, as it was named."""
    own: bool
    """Of the program and its words; not of a variable, a redirection or a doubt."""


def is_on_files(kind: EffectKind) -> bool:
    """Does an effect of this kind concern files, so that `paths` of a rule count?"""
    return kind in _ON_FILES


def tightens(rule: Rule, found: Analysed, program: Program | None, effects: Sequence[Seen]) -> bool:
    """Does a rule that asks or denies cover a command?"""
    _, _, _, kinds, paths, command = rule
    if command is not None and not _may_mean(command, found, program):
        return False
    if kinds is None and paths is None:
        return True
    for (kind, _, argv, _), real, named, _ in effects:
        # An inner command is judged by itself.
        if argv is not None or (kinds is not None and kind not in kinds):
            continue
        if paths is None or _touch(paths, kind, real, named):
            return True
    return False


def _touch(paths: PathSet, kind: EffectKind, real: tuple[str, ...], named: str | None) -> bool:
    # What is deleted or written may be a whole directory; a search of one is not taken for
    # reading everything in it.
    tree = kind is not _READ
    if named is not None and named not in real and paths.touches(named, tree=tree):
        return True
    for path in real:
        if paths.touches(path, tree=tree):
            return True
    return False


def allows_command(rule: Rule, found: Analysed, program: Program | None) -> bool:
    """May a rule that allows cover effects of a command?

    `program` is what its first word names; None for a builtin, and where there is none: then
    none will run.
    """
    if rule.command is None:
        return True
    by_path = any("/" in word for word in rule.command[0])
    if program is not None and program.distrusted is not None and not by_path:
        return False
    return _begins(rule.command, found, program)


def covers(rule: Rule, seen: Seen) -> bool:
    """Does a rule that allows, and covers the command, cover this effect of it?"""
    _, _, _, kinds, paths, command = rule
    (kind, _, _, _), real, _, own = seen
    if kinds is not None and kind not in kinds:
        return False
    if paths is not None and kind in _ON_FILES:
        for path in real:
            if not paths.holds(path):
                return False
        return real != ()
    if kinds is not None:
        return True
    if paths is not None:
        return False
    # Everything; or everything that the command itself does.
    return command is None or own


def _begins(pattern: Pattern, found: Analysed, program: Program | None) -> bool:
    """Is a command one that `pattern` is the beginning of? To the letter, word by word."""
    argv = found.command.argv
    if len(argv) < len(pattern) or not found.command.certain:
        return False
    if not found.command.patterns.isdisjoint(range(len(pattern))):
        return False
    names = {argv[0].rpartition("/")[2]}
    if program is not None:
        names = {program.path, program.real} | (names if program.distrusted is None else set())
    if names.isdisjoint(pattern[0]):
        return False
    return all(word in may_be for word, may_be in zip(argv[1:], pattern[1:], strict=False))


def _may_mean(pattern: Pattern, found: Analysed, program: Program | None) -> bool:
    """May a command mean `pattern`, whatever options stand between its words?"""
    argv = found.command.argv
    if not argv:
        return False
    names = {argv[0], argv[0].rpartition("/")[2], *found.name[:1]}
    if program is not None:
        names |= {program.path, program.real, program.real.rpartition("/")[2]}
    first = _folded(pattern[0])
    if first.isdisjoint(_folded(names)):
        return False
    # Of a program with sub-commands, the table knows which words are the name.
    with_name = [(word, False) for word in found.name[1:]]
    with_name += _words(found, found.rest)
    return _in_order(pattern[1:], with_name) or _in_order(pattern[1:], _words(found, 1))


def _words(found: Analysed, start: int) -> Iterator[tuple[str, bool]]:
    """The words from `start` on; is each a pattern of file names?"""
    command = found.command
    for index, word in enumerate(command.argv[start:], start):
        yield word, index in command.patterns


def _in_order(wanted: Sequence[frozenset[str]], words: Iterable[tuple[str, bool]]) -> bool:
    """Do all of `wanted` stand among `words`, in this order? A file pattern may be many."""
    left = list(wanted)
    for word, is_pattern in words:
        if is_pattern:
            while left and any(fnmatch.fnmatchcase(each, word) for each in left[0]):
                del left[0]
        elif left and word in left[0]:
            del left[0]
        if not left:
            break
    return not left


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)
