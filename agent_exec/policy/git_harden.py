"""Variables with which git, when it only reads, does not run what a repository says.

Source: git-config(1), GIT_CONFIG_COUNT (2.31), safe.bareRepository (2.38).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.policy.facts import GitFacts, absolute

# Whatever the repository sets.
_ALWAYS = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("core.alternateRefsCommand", ""),
    ("log.showSignature", "false"),
    ("protocol.ext.allow", "never"),
    ("safe.bareRepository", "explicit"),
)
_PLAIN = (
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
)
_FILTER = re.compile(r"filter\.(.*)\.(?:clean|smudge|process|required)", re.DOTALL)
_TEXTCONV = re.compile(r"diff\.(.*)\.textconv", re.DOTALL)


def is_git(found: Analysed) -> bool:
    """Is a command a call of git?"""
    return found.name[:1] == ("git",)


def git_folder(found: Analysed, here: str) -> str:
    """Where a call of git in `here` works: the directories of its ``-C``, one after the other."""
    folder = here
    words = iter(found.command.argv[1 : found.rest])
    for word in words:
        if word == "-C":
            folder = absolute(next(words, ""), folder)
        elif word.startswith("-C"):
            folder = absolute(word[2:], folder)
    return folder


def only_reads(analysed: Sequence[Analysed]) -> bool:
    """Are there calls of git among the commands, and do all of them only read?"""
    calls = [found for found in analysed if is_git(found)]
    return bool(calls) and all(
        effect.kind is EffectKind.READ for found in calls for effect in found.effects
    )


def hardening(facts: Sequence[GitFacts]) -> tuple[tuple[str, str], ...]:
    """Variables for commands that `only_reads`, in repositories of which `facts` are known."""
    settings = list(_ALWAYS)
    for key in dict.fromkeys(key for each in facts for key in each.keys):
        filters, textconv = _FILTER.fullmatch(key), _TEXTCONV.fullmatch(key)
        if filters:
            name = filters.group(1)
            settings += [
                (f"filter.{name}.clean", ""),
                (f"filter.{name}.smudge", ""),
                (f"filter.{name}.process", ""),
                (f"filter.{name}.required", "false"),
            ]
        elif textconv:
            settings.append((f"diff.{textconv.group(1)}.textconv", "cat"))
    settings = list(dict.fromkeys(settings))
    numbered = [
        pair
        for index, (key, value) in enumerate(settings)
        for pair in ((f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value))
    ]
    return (*_PLAIN, ("GIT_CONFIG_COUNT", str(len(settings))), *numbered)
