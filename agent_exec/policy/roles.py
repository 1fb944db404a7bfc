"""A word and its role to what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.addresses import addresses
from agent_exec.policy.git_keys import git_key, is_harmless
from agent_exec.policy.languages import TEXT_LANGUAGES
from agent_exec.policy.meaning import Inner, Meaning, on, unknown
from agent_exec.policy.table import Role
from agent_exec.regex import regex

# With one of these no name becomes that of a file with a meaning of its own.
_SUFFIXES = frozenset({"", "~", ".bak", ".bkp", ".backup", ".old", ".orig", ".save", ".tmp"})
_PLAIN_LINE = regex(r"[A-Za-z0-9_@%+=:,./ \t-]*")


def _nothing(_word: str, _because: str) -> Meaning:
    return Meaning()


def _on_path(*kinds: EffectKind) -> Callable[[str, str], Meaning]:
    def meaning(word: str, because: str) -> Meaning:
        return Meaning(tuple([effect for kind in kinds for effect in on(kind, word, because)]))

    return meaning


def _of_kind(kind: EffectKind) -> Callable[[str, str], Meaning]:
    def meaning(word: str, because: str) -> Meaning:
        return Meaning((Effect(kind, because=because or word),))

    return meaning


def _near_or_far(*kinds: EffectKind) -> Callable[[str, str], Meaning]:
    near = _on_path(*kinds)

    def meaning(word: str, because: str) -> Meaning:
        if ":" not in word.partition("/")[0]:
            return near(word, because)
        far = because or f"{word} is no file"
        return Meaning(
            (Effect(EffectKind.NETWORK, because=far), Effect(EffectKind.EXECUTE, because=far))
        )

    return meaning


def _page(word: str, _because: str) -> Meaning:
    if "/" not in word:
        return Meaning()
    because = "the pages of a manual include others"
    return Meaning((Effect(EffectKind.READ, word), Effect(EffectKind.READ, because=because)))


def _code(_word: str, because: str) -> Meaning:
    return Meaning((Effect(EffectKind.EXECUTE, because=because or "runs a text as code"),))


def _shell(word: str, _because: str) -> Meaning:
    return Meaning(texts=(word,))


def _line(word: str, _because: str) -> Meaning:
    if not _PLAIN_LINE.fullmatch(word) or not word.split():
        return unknown("an argument vector in one word, with quotes or variables")
    return Meaning(inner=(Inner(tuple(word.split())),))


def _setting(word: str, because: str) -> Meaning:
    key = word.partition("=")[0]
    if is_harmless(git_key(key)):
        return Meaning()
    why = f"{because}: {key} may name a program" if because else f"{key} may name a program"
    return Meaning((Effect(EffectKind.EXECUTE, because=why),))


def _suffix(word: str, _because: str) -> Meaning:
    return Meaning() if word in _SUFFIXES else unknown(f"old contents go to names with {word}")


def _text(language: str) -> Callable[[str, str], Meaning]:
    def meaning(word: str, _because: str) -> Meaning:
        return TEXT_LANGUAGES[language](word)

    return meaning


ON_PATH: Mapping[Role, EffectKind] = {
    Role.READ: EffectKind.READ,
    Role.WRITE: EffectKind.WRITE,
    Role.DELETE: EffectKind.DELETE,
    Role.EXECUTE: EffectKind.EXECUTE,
    Role.DIRECTORY: EffectKind.READ,
}
"""Words that name a file to which just this happens."""
MEANINGS: Mapping[Role, Callable[[str, str], Meaning]] = {
    Role.DATA: _nothing,
    **{role: _on_path(kind) for role, kind in ON_PATH.items()},
    Role.UPDATE: _on_path(EffectKind.READ, EffectKind.WRITE),
    Role.MOVE: _on_path(EffectKind.READ, EffectKind.DELETE),
    Role.CODE: _code,
    Role.SHELL: _shell,
    Role.LINE: _line,
    Role.NETWORK: _of_kind(EffectKind.NETWORK),
    Role.ADDRESS: addresses,
    Role.STATE: _of_kind(EffectKind.STATE),
    Role.PRIVILEGE: _of_kind(EffectKind.PRIVILEGE),
    Role.UNKNOWN: _of_kind(EffectKind.UNKNOWN),
    Role.SOURCE: _near_or_far(EffectKind.READ),
    Role.TARGET: _near_or_far(EffectKind.READ, EffectKind.WRITE),
    Role.SUFFIX: _suffix,
    Role.PAGE: _page,
    Role.SED: _text("sed"),
    Role.AWK: _text("awk"),
    Role.JQ: _text("jq"),
    Role.SETTING: _setting,
}
"""COMMAND is not here: it is not one word."""
