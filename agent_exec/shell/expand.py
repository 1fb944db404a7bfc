"""Words to fields: variables, tilde, and what of a field is still a pattern.

Quote removal needs no step: a `Word` knows what was quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

from agent_exec.model.request import Source
from agent_exec.model.script import Kind, Word, has_pattern
from agent_exec.shell.names import COMPUTED, DEFAULTED
from agent_exec.shell.needs_bash import NeedsBash

# Of an unquoted value: what bash would split at, or match against file names.
_SPLIT_OR_MATCH = frozenset(" \t\n*?[\\")
_PLAIN, _QUOTED = Kind.PLAIN, Kind.QUOTED
UNKNOWN_STATUS = "$?"
"""Stands in the text of a field for a number that only the run tells."""


class Field(NamedTuple):
    """One word of an argument vector. `pieces`: (text, is it a pattern)."""

    pieces: tuple[tuple[str, bool], ...]
    later: bool = False
    """``$?`` in the text stands for a number that only the run tells."""

    @property
    def text(self) -> str:
        """What it is when no file matches."""
        pieces = self.pieces
        return pieces[0][0] if len(pieces) == 1 else "".join([text for text, _ in pieces])

    @property
    def is_pattern(self) -> bool:
        """Must file names be looked at?"""
        for text, pattern in self.pieces:
            if pattern and has_pattern(text):
                break
        else:
            return False
        plain = [text if pattern else "" for text, pattern in self.pieces]
        seen = "".join(plain)
        # bash looks for no files for the sake of a bracket that does not close.
        return "*" in seen or "?" in seen or "]" in seen[seen.find("[") :]


class Scope(NamedTuple):
    """What words may name."""

    variables: Mapping[str, str]
    """The environment of the child."""
    home: str | None
    """None where HOME is unset: bash looks elsewhere then."""
    cwd: str
    """Absolute, as ``cd`` left it: with the links that it went through."""
    parameters: tuple[str, ...] | None = None
    """``$0``, ``$1`` and so on; None where nobody knows them."""
    status: int | None = 0
    """``$?``; None where only the run tells."""
    stdin: Source = Source.NOTHING
    """Where the input of the whole text comes from."""
    text: str | None = None
    """That input, when `stdin` is TEXT."""
    exported: tuple[tuple[str, str], ...] = ()
    """Those of `variables` that the call itself has set: for the shell, or in its text."""
    known: bool = True
    """False: somebody else's shell expands the text, with variables that nobody knows here."""

    @classmethod
    def of_call(cls, variables: Mapping[str, str], cwd: str) -> Self:
        """That of a whole text, which bash would run by ``bash -c -- TEXT``."""
        return cls(variables, variables.get("HOME"), cwd, ("bash",))


def expand(word: Word, scope: Scope) -> Field | None:
    """A field, or None where the word vanishes: all of it was unquoted, and empty.

    Raises:
        NeedsBash: An unquoted value that bash would split or match, or a variable that
            only bash knows.
    """
    if len(word.pieces) == 1:
        kind, text = word.pieces[0]
        if kind is _PLAIN:
            return Field(((text, True),))
        if kind is _QUOTED:
            return Field(((text, False),))
    pieces: list[tuple[str, bool]] = []
    vanishes = True
    later = False
    for kind, text in word.pieces:
        if kind is _PLAIN or kind is _QUOTED:
            pieces.append((text, kind is _PLAIN))
            vanishes = False
        elif kind is Kind.HOME:
            if not scope.home:
                raise NeedsBash("a home directory that only bash looks up", 0)
            pieces.append((scope.home, False))
            vanishes = False
        else:
            value = _value(text, scope)
            if kind is Kind.QUOTED_VARIABLE:
                vanishes = False
            elif value:
                if not _SPLIT_OR_MATCH.isdisjoint(value):
                    raise NeedsBash(f"the unquoted value of {text}, which bash splits", 0)
                vanishes = False
            later = later or (text == "?" and scope.status is None)
            pieces.append((value, False))
    return None if vanishes else Field(tuple(pieces), later)


def as_written(words: Iterable[Word]) -> list[str] | None:
    """The texts of words of one piece each, in which nothing is expanded; else None."""
    texts = []
    for (pieces,) in words:
        if len(pieces) != 1:
            return None
        kind, text = pieces[0]
        if kind is not _PLAIN and kind is not _QUOTED:
            return None
        texts.append(text)
    return texts


def expand_all(words: Iterable[Word], scope: Scope) -> list[Field]:
    """The fields of a command, its name first.

    Raises:
        NeedsBash: As `expand`; or the name is a job's, or known only later.
    """
    fields = [field for word in words if (field := expand(word, scope)) is not None]
    if fields:
        name = fields[0]
        text = name.text
        if text.startswith("%"):
            raise NeedsBash("a job", 0)
        if name.later or (has_pattern(text) and name.is_pattern):
            raise NeedsBash("a command whose name only the run tells", 0)
    return fields


def _value(name: str, scope: Scope) -> str:
    if name == "?":
        return UNKNOWN_STATUS if scope.status is None else str(scope.status)
    if name == "#" or name.isdigit():
        if scope.parameters is None:
            raise NeedsBash("a parameter of the text", 0)
        if name == "#":
            return str(max(0, len(scope.parameters) - 1))
        return scope.parameters[int(name)] if int(name) < len(scope.parameters) else ""
    if name == "PWD":
        return scope.cwd
    if not scope.known and name not in dict(scope.exported):
        raise NeedsBash(f"the value of {name}, which only the shell that runs it knows", 0)
    if name in COMPUTED or name.startswith(("BASH_", "COMP_")):
        raise NeedsBash(f"{name}, which bash sets itself", 0)
    value = scope.variables.get(name)
    if value is None and name in DEFAULTED:
        raise NeedsBash(f"{name}, which bash sets itself", 0)
    return value or ""
