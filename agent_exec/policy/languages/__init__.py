"""The little languages inside arguments: a text, or all words of a command, to its meaning.

Each module understands a part of its language to the letter; all else is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from agent_exec.policy.languages.awk import awk
from agent_exec.policy.languages.find import find
from agent_exec.policy.languages.jq import jq
from agent_exec.policy.languages.sed import sed
from agent_exec.policy.languages.test_expression import expression
from agent_exec.policy.languages.xargs import xargs
from agent_exec.policy.meaning import Meaning

WordLanguage: TypeAlias = Callable[[Sequence[str], frozenset[int], tuple[str, ...] | None], Meaning]
"""Of the words of a command, the indices of its globs, and the directories beneath which lie
all files whose names its input lists (None: nobody knows what it lists)."""

TEXT_LANGUAGES: Mapping[str, Callable[[str], Meaning]] = {"awk": awk, "jq": jq, "sed": sed}
"""Of one word."""

WORD_LANGUAGES: Mapping[str, WordLanguage] = {
    "find": find,
    "test": expression,
    "xargs": xargs,
}
"""Of an argument vector."""
