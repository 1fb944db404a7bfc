"""A call understood: every program found, everything that will be used in its final form."""

from __future__ import annotations

from enum import StrEnum

from agent_exec.model.call import ToolCall
from agent_exec.model.effect import EffectKind
from agent_exec.model.script import Script
from agent_exec.named_tuple import NamedTuple


class Source(StrEnum):
    """Where the input of a command comes from."""

    NOTHING = "nothing"
    TEXT = "text"
    """Literal text: the call's, or a here-document's."""
    PIPE = "pipe"
    """The command before it in a pipeline."""
    FILE = "file"
    OPEN = "open"
    """A descriptor that the caller hands on."""


class FileUse(NamedTuple):
    """A redirection: what becomes of a file that the call itself names."""

    kind: EffectKind
    """READ or WRITE; one that does both is two."""
    path: str
    """As written: absolute, or relative to the directory of the command."""


class Command(NamedTuple):
    """One argument vector, and what is known of how it runs.

    The fields after `program` are for judging it.
    """

    argv: tuple[str, ...]
    program: str | None
    """Absolute path; None for a builtin of the shell, and for what has not been found."""
    cwd: str | None = None
    """Absolute; None for that of the request."""
    variables: tuple[tuple[str, str], ...] = ()
    """Set for this command: by the call, a prefix, or an ``export`` before it."""
    files: tuple[FileUse, ...] = ()
    patterns: frozenset[int] = frozenset()
    """Indices of words that are globs, unexpanded: each stands for any number of words."""
    stdin: Source = Source.NOTHING
    text: str | None = None
    """The input, when `stdin` is TEXT."""
    builtin: bool = False
    """Done by the shell itself: echo, cd, test."""
    certain: bool = True
    """False: from text that only bash understands; words or whole commands may be missing."""
    more: tuple[str, ...] | None = None
    """Words that nobody knows yet follow: names of files beneath these paths, or () for any.
    A path that ends in a slash is also the beginning of all these names."""
    terminal: bool = False
    """It runs at a terminal, where whoever sent the call types."""


class ExecRequest(NamedTuple):
    """A call whose programs and directory were found."""

    id: str
    """Unique; also the value of the mark in every child's environment."""
    call: ToolCall
    commands: tuple[Command, ...]
    cwd: str
    """Absolute, without links."""
    stdin: bytes | int | None
    """Literal bytes, a descriptor to hand on, or nothing."""
    text: str | None = None
    """Shell text: the call's, or out of the words of the shell that it names."""
    script: Script | None = None
    """Of a text that runs without a shell."""
    needs_shell: str | None = None
    """Why a text does not; then `commands` are what could be found in it."""
    complete: bool = True
    """Are `commands` all there are?"""
    notices: tuple[str, ...] = ()
    """How it differs from the call, for its caller."""
