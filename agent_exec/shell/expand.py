"""Words to fields: variables, tilde, and what of a field is still a pattern.

Quote removal needs no step: a `Word` knows what was quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agent_exec.model.script import Kind, Word, has_pattern
from agent_exec.shell.needs_bash import NeedsBash

# bash sets or computes these itself, so their value is not that of the environment.
COMPUTED = frozenset(
    {
        *("BASH", "BASHOPTS", "BASHPID", "COLUMNS", "COMP_WORDBREAKS", "DIRSTACK", "EUID"),
        *("EPOCHREALTIME", "EPOCHSECONDS", "FUNCNAME", "GROUPS", "HISTCMD", "HOSTNAME"),
        *("HOSTTYPE", "IFS", "LINENO", "LINES", "MACHTYPE", "OLDPWD", "OPTARG", "OPTERR"),
        *("OPTIND", "OSTYPE", "PATH", "PIPESTATUS", "PPID", "PS4", "PWD", "RANDOM", "SECONDS"),
        *("SHELL", "SHELLOPTS", "SHLVL", "SRANDOM", "TERM", "UID", "_"),
    }
)
# Of an unquoted value: what bash would split at, or match against file names.
_SPLIT_OR_MATCH = frozenset(" \t\n*?[\\")


class Field(NamedTuple):
    """One word of an argument vector. `pieces`: (text, is it a pattern)."""

    pieces: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        """What it is when no file matches."""
        return "".join(text for text, _ in self.pieces)

    @property
    def is_pattern(self) -> bool:
        """Must file names be looked at?"""
        return any(pattern and has_pattern(text) for text, pattern in self.pieces)


class Scope(NamedTuple):
    """What words may name. `home` is None where HOME is unset."""

    variables: Mapping[str, str]
    home: str | None
    status: int


def expand(word: Word, scope: Scope) -> Field | None:
    """A field, or None where the word vanishes: all of it was unquoted, and empty.

    Raises:
        NeedsBash: An unquoted value that bash would split or match, or a variable that
            only bash knows.
    """
    pieces: list[tuple[str, bool]] = []
    vanishes = True
    for kind, text in word.pieces:
        match kind:
            case Kind.PLAIN:
                pieces.append((text, True))
                vanishes = False
            case Kind.QUOTED:
                pieces.append((text, False))
                vanishes = False
            case Kind.HOME:
                if scope.home is None:
                    raise NeedsBash("a home directory that only bash looks up", 0)
                pieces.append((scope.home, False))
                vanishes = False
            case Kind.QUOTED_VARIABLE:
                pieces.append((_value(text, scope), False))
                vanishes = False
            case Kind.VARIABLE:
                value = _value(text, scope)
                if not _SPLIT_OR_MATCH.isdisjoint(value):
                    raise NeedsBash(f"the unquoted value of {text}, which bash splits", 0)
                pieces.append((value, False))
                vanishes = vanishes and not value
    return None if vanishes else Field(tuple(pieces))


def expand_all(words: Iterable[Word], scope: Scope) -> list[Field]:
    """The fields of a command, its name first.

    Raises:
        NeedsBash: As `expand`; or the name is a job's.
    """
    fields = [field for word in words if (field := expand(word, scope)) is not None]
    if fields and fields[0].text.startswith("%"):
        raise NeedsBash("a job", 0)
    return fields


def _value(name: str, scope: Scope) -> str:
    if name == "?":
        return str(scope.status)
    if name in COMPUTED or name.startswith(("BASH_", "COMP_")):
        raise NeedsBash(f"{name}, which bash sets itself", 0)
    return scope.variables.get(name, "")
