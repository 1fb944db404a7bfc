"""What a shell text says, before anything is expanded.

    Script -> AndOr -> Pipeline -> SimpleCommand -> Word, Redirection

Only what runs without bash exactly as bash runs it has a form here.
"""

from __future__ import annotations

from enum import StrEnum

from agent_exec.named_tuple import NamedTuple


class Kind(StrEnum):
    """Of a piece of a word."""

    PLAIN = "plain"
    """Unquoted text: ``*``, ``?`` and ``[`` in it are patterns."""
    QUOTED = "quoted"
    """Text that stands for itself."""
    HOME = "home"
    """A tilde that is the home directory."""
    VARIABLE = "variable"
    """``$NAME``, unquoted: vanishes when empty."""
    QUOTED_VARIABLE = "quoted-variable"
    """``"$NAME"``."""


class Piece(NamedTuple):
    """Part of a word. `text` is the name of a variable; ``?`` is the last status."""

    kind: Kind
    text: str


class Word(NamedTuple):
    """One word as written. No pieces at all: an empty pair of quotes is one empty piece."""

    pieces: tuple[Piece, ...]

    @property
    def literal(self) -> str | None:
        """The text of a word in which nothing is expanded; None when something may be."""
        text = ""
        for kind, piece in self.pieces:
            if kind is Kind.PLAIN and has_pattern(piece):
                return None
            if kind is not Kind.PLAIN and kind is not Kind.QUOTED:
                return None
            text += piece
        return text


def has_pattern(text: str) -> bool:
    """Would bash try to match unquoted `text` against file names?"""
    return "*" in text or "?" in text or "[" in text


class Operator(StrEnum):
    """Of a redirection."""

    READ = "<"
    WRITE = ">"
    CLOBBER = ">|"
    APPEND = ">>"
    READ_WRITE = "<>"
    WRITE_BOTH = "&>"
    APPEND_BOTH = "&>>"
    DUPLICATE_OUT = ">&"
    DUPLICATE_IN = "<&"
    HERE_STRING = "<<<"
    HERE_DOCUMENT = "<<"


class Redirection(NamedTuple):
    """`fd` and the operator, as written; `fd` is 0 or 1 where none was written."""

    fd: int
    operator: Operator
    target: Word
    """A path, the digit of a descriptor, or the text of a here-document."""


class Assignment(NamedTuple):
    """``NAME=value`` before a command."""

    name: str
    value: Word


class SimpleCommand(NamedTuple):
    """Words and redirections in the order in which they were written."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    line: int
    """Of the text, from 1: bash names it in its messages."""
    shown: str = ""
    """As bash writes it when a signal has ended it."""
    last_line: int = 1
    """The last one that bash has read when the command runs."""


class Pipeline(NamedTuple):
    """Commands joined by pipes; `errors_too[i]`: ``|&`` follows command i."""

    commands: tuple[SimpleCommand, ...]
    errors_too: tuple[bool, ...]
    negated: bool


class Joint(StrEnum):
    """When an item of a list runs, by the status of what ran last."""

    ALWAYS = ";"
    AND = "&&"
    OR = "||"


class Item(NamedTuple):
    """A pipeline, and when it runs."""

    joint: Joint
    pipeline: Pipeline


class Script(NamedTuple):
    """A whole text. ``&&`` and ``||`` have the same precedence, so a list is flat."""

    items: tuple[Item, ...]
    execs: bool = False
    """bash executes the last command in its own place, and so says nothing of its end."""
