"""The little languages inside arguments: a text, or all words of a command, to its meaning.

Each module understands a part of its language to the letter; all else is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent_exec.policy.meaning import Meaning

TEXT_LANGUAGES: Mapping[str, Callable[[str], Meaning]] = {}
"""Of one word: sed, awk, jq."""

WORD_LANGUAGES: Mapping[str, Callable[[Sequence[str], frozenset[int]], Meaning]] = {}
"""Of an argument vector, and the indices of its globs: find, test, xargs."""
