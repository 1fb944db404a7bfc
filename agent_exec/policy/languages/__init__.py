"""The little languages inside arguments: a text, or all words of a command, to its meaning.

Each module understands a part of its language to the letter; all else is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from agent_exec.policy.meaning import Meaning

WordLanguage: TypeAlias = Callable[[Sequence[str], frozenset[int], tuple[str, ...] | None], Meaning]
"""Of the words of a command, the indices of its globs, and the directories beneath which lie
all files whose names its input lists (None: nobody knows what it lists)."""

TEXT_LANGUAGES: Mapping[str, Callable[[str], Meaning]] = {}
"""Of one word: sed, awk, jq."""

WORD_LANGUAGES: Mapping[str, WordLanguage] = {}
"""Of an argument vector: find, test, xargs."""
