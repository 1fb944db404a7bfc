"""The little languages inside arguments: a text, or all words of a command, to its meaning.

Each module understands a part of its language to the letter; all else is unknown. It is imported
with the first text of its language: most commands hold none.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from agent_exec.policy.meaning import Meaning

WordLanguage: TypeAlias = Callable[[Sequence[str], frozenset[int], tuple[str, ...] | None], Meaning]
"""Of the words of a command, the indices of its globs, and the directories beneath which lie
all files whose names its input lists (None: nobody knows what it lists)."""


def _awk(text: str) -> Meaning:
    from agent_exec.policy.languages.awk import awk

    return awk(text)


def _jq(text: str) -> Meaning:
    from agent_exec.policy.languages.jq import jq

    return jq(text)


def _sed(text: str) -> Meaning:
    from agent_exec.policy.languages.sed import sed

    return sed(text)


def _find(argv: Sequence[str], patterns: frozenset[int], names: tuple[str, ...] | None) -> Meaning:
    from agent_exec.policy.languages.find import find

    return find(argv, patterns, names)


def _ps(argv: Sequence[str], patterns: frozenset[int], names: tuple[str, ...] | None) -> Meaning:
    from agent_exec.policy.languages.ps import ps

    return ps(argv, patterns, names)


def _test(argv: Sequence[str], patterns: frozenset[int], names: tuple[str, ...] | None) -> Meaning:
    from agent_exec.policy.languages.test_expression import expression

    return expression(argv, patterns, names)


def _xargs(argv: Sequence[str], patterns: frozenset[int], names: tuple[str, ...] | None) -> Meaning:
    from agent_exec.policy.languages.xargs import xargs

    return xargs(argv, patterns, names)


TEXT_LANGUAGES: Mapping[str, Callable[[str], Meaning]] = {"awk": _awk, "jq": _jq, "sed": _sed}
"""Of one word."""

WORD_LANGUAGES: Mapping[str, WordLanguage] = {
    "find": _find,
    "ps": _ps,
    "test": _test,
    "xargs": _xargs,
}
"""Of an argument vector."""
