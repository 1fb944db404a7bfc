"""Variables with which git, when it is to run nothing, does not run what a repository says.

Source: git-config(1), GIT_CONFIG_COUNT (2.31), safe.bareRepository (2.38); git(1),
GIT_ALLOW_PROTOCOL, GIT_NO_LAZY_FETCH (2.44).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.policy.facts import GitFacts, absolute
from agent_exec.regex import regex

GIT = ("git",)
"""How `Analysed.name` of a call of git begins."""
# A program that git takes for a failure; were it not there, that would be one, too.
_FAILS = "/bin/false"
# Whatever the repository sets.
_ALWAYS = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("core.alternateRefsCommand", _FAILS),
    ("log.showSignature", "false"),
    # For %G? in a format, in an archive, and for %(signature).
    ("gpg.program", _FAILS),
    ("gpg.openpgp.program", _FAILS),
    ("gpg.x509.program", _FAILS),
    ("gpg.ssh.program", _FAILS),
    # Starts another git in every submodule.
    ("status.submoduleSummary", "false"),
    ("protocol.ext.allow", "never"),
    ("safe.bareRepository", "explicit"),
)
_PLAIN = (
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    # Objects that are not there are not fetched: by no helper, over no transport.
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", ""),
)
_FILTER = regex(r"filter\.(.*)\.(?:clean|smudge|process|required)", re.DOTALL)
_MERGE = regex(r"merge\..*\.driver", re.DOTALL)
_TEXTCONV = regex(r"diff\.(.*)\.(?:textconv|cachetextconv)", re.DOTALL)
# Global options whose value is the next word; "--git-dir" and "--config-env" may also have it
# behind an equals sign.
_WITH_VALUE = frozenset(
    {
        *("-c", "--config-env", "--namespace", "--git-dir", "--work-tree", "--super-prefix"),
        *("--attr-source", "--list-cmds"),
    }
)
_ON_FILES = frozenset({EffectKind.READ, EffectKind.WRITE, EffectKind.DELETE})


def git_folder(found: Analysed, here: str) -> str:
    """Where a call of git in `here` works: the directories of its ``-C``, one after the other."""
    folder = here
    words = iter(found.command.argv[1 : found.rest])
    for word in words:
        if word == "-C":
            folder = absolute(next(words, ""), folder)
        elif word in _WITH_VALUE:
            next(words, None)
    return folder


def runs_nothing(found: Analysed) -> bool:
    """Is a command to do no more than to read and to change files?"""
    return all(effect.kind in _ON_FILES for effect in found.effects)


def keeps_variables(found: Analysed) -> bool:
    """Does the command inside this one get all variables? With an option of env, it may not."""
    if found.name[:1] != ("env",):
        return True
    words = takewhile(lambda word: word[:1] == "-" or "=" in word, found.command.argv[1:])
    return not any(word[:1] == "-" for word in words)


def can_be_hardened(analysed: Sequence[Analysed]) -> bool:
    """Are there calls of git among the commands, all of which are to run nothing?"""
    some = False
    if not all(map(keeps_variables, analysed)):
        return False
    for found in analysed:
        if found.name[:1] == GIT:
            if not runs_nothing(found):
                return False
            some = True
    return some


def hardening(facts: Sequence[GitFacts]) -> tuple[tuple[str, str], ...]:
    """Variables for commands that `can_be_hardened`, in repositories of which `facts` are known."""
    settings = list(_ALWAYS)
    for key in dict.fromkeys([key for each in facts for key in each.keys]):
        filters, textconv = _FILTER.fullmatch(key), _TEXTCONV.fullmatch(key)
        if filters:
            name = filters.group(1)
            settings += [
                (f"filter.{name}.clean", ""),
                (f"filter.{name}.smudge", ""),
                (f"filter.{name}.process", ""),
                (f"filter.{name}.required", "false"),
            ]
        elif _MERGE.fullmatch(key):
            # Of --remerge-diff, which "log.diffMerges" may stand for.
            settings.append((key, _FAILS))
        elif textconv:
            name = textconv.group(1)
            settings += [(f"diff.{name}.textconv", "cat"), (f"diff.{name}.cachetextconv", "false")]
    settings = list(dict.fromkeys(settings))
    numbered = [
        pair
        for index, (key, value) in enumerate(settings)
        for pair in ((f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value))
    ]
    return (*_PLAIN, ("GIT_CONFIG_COUNT", str(len(settings))), *numbered)
