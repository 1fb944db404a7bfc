"""What the arguments of one program do: the values that `policies/tools/*.yaml` becomes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent_exec.errors import PolicyError
from agent_exec.model.effect import Effect
from agent_exec.named_tuple import NamedTuple


class TableError(PolicyError):
    """A tool table is wrong; the message names the place in it."""


class Syntax(StrEnum):
    """How a program reads its options."""

    GNU = "gnu"
    """getopt_long(3): anywhere among the operands, long ones abbreviated, short ones bundled."""
    POSIX = "posix"
    """The same, but options end at the first operand."""
    SINGLE = "single"
    """``-name VALUE`` and ``-name=VALUE``, no bundles; one dash or two."""
    WORDS = "words"
    """None: every word is an operand."""


class Role(StrEnum):
    """What a word is to a program, and so what the program does with what it names."""

    DATA = "data"
    """Names nothing."""
    READ = "read"
    WRITE = "write"
    UPDATE = "update"
    """Reads it, and writes it."""
    DELETE = "delete"
    MOVE = "move"
    """Reads it, and deletes it."""
    EXECUTE = "execute"
    """A file that is run."""
    CODE = "code"
    """A text that an interpreter runs."""
    SHELL = "shell"
    """A text that a shell runs: it is read, and judged."""
    COMMAND = "command"
    """The first word of an inner argument vector, which goes to the end."""
    LINE = "line"
    """An inner argument vector in one word, split at blanks and quotes."""
    DIRECTORY = "directory"
    """Where the command works from here on."""
    NETWORK = "network"
    """A host or an address."""
    ADDRESS = "address"
    """Addresses and ports: nothing, but for the names of hosts among them."""
    STATE = "state"
    PRIVILEGE = "privilege"
    UNKNOWN = "unknown"
    SOURCE = "source"
    """A file that is read; with a colon before any slash, a place that a helper reaches."""
    TARGET = "target"
    """A file that is read and written, or such a place."""
    SUFFIX = "suffix"
    """What is put to the name of an operand for its old content."""
    PAGE = "page"
    """A manual: by its name, or a file, which may include any other."""
    SED = "sed"
    AWK = "awk"
    JQ = "jq"
    SETTING = "setting"
    """``KEY=VALUE`` of git's configuration."""


class Option(NamedTuple):
    """One option. `names[0]` stands for all its spellings."""

    names: tuple[str, ...]
    values: tuple[Role, ...] = ()
    """Of the values that it has to have; the first may be attached."""
    attached: Role | None = None
    """Of a value that it may have, and only attached."""
    effects: tuple[Effect, ...] = ()
    operands: Role | None = None
    """Given, this is what operands are that would be read otherwise."""
    because: str = ""
    follows: bool = False
    """Follows links beneath what the command reads."""


class Operand(NamedTuple):
    """One operand, or (`repeats`) any number of them."""

    role: Role
    repeats: bool = False
    unless: frozenset[str] = frozenset()
    """Not there when one of these options was given (first names)."""
    given: frozenset[str] = frozenset()
    """Only there when one of these was."""
    effects: tuple[Effect, ...] = ()
    """Of its presence, besides those of its role."""
    absent: tuple[Effect, ...] = ()
    """When no operand stands there: ``rg PATTERN`` reads the directory where it works."""


class Operands(NamedTuple):
    """Those of a program, in order, and what follows from them. Made by `operands_of`."""

    specs: tuple[Operand, ...]
    repeated: int | None
    """The place of the one that repeats."""
    conditional: bool
    """Is one of them there only with, or without, some option?"""
    absent: bool
    """Does it mean anything when no operand stands for one of them?"""


def operands_of(specs: tuple[Operand, ...]) -> Operands:
    """`specs`, of which one at most repeats."""
    repeated = None
    conditional = says_absent = False
    for at, (_, repeats, unless, given, _, absent) in enumerate(specs):
        if repeats:
            repeated = at
        if unless or given:
            conditional = True
        if absent:
            says_absent = True
    return Operands(specs, repeated, conditional, says_absent)


NO_OPERANDS = operands_of(())


class Mode(NamedTuple):
    """What is different when one of some options was given; None: as in the table."""

    given: frozenset[str]
    """First names of options; a sub-word of old-style options counts."""
    unless: frozenset[str] = frozenset()
    operands: Operands | None = None
    none: tuple[Effect, ...] | None = None
    effects: tuple[Effect, ...] | None = None
    values: Mapping[str, tuple[Role, ...]] = {}
    """Roles of the values of some options."""
    input: bool = False
    """Only when the command has an input: a pipe, a file, a text."""


class Table(NamedTuple):
    """One program, or one of its sub-commands."""

    name: str
    syntax: Syntax = Syntax.GNU
    options: Mapping[str, Option] = {}
    """By every spelling, dashes included."""
    longs: tuple[str, ...] = ()
    """Long spellings, sorted."""
    numeric: bool = False
    """``-5`` is an option."""
    plus: Role | None = None
    """Of words that begin with ``+``."""
    negatable: bool = False
    """``--no-NAME`` of a long option takes it back."""
    dash: bool = False
    """A file to be written that is called ``-`` is the output; else it is a file of that name."""
    old_style: bool = False
    """The first word may be a bundle of short options without a dash."""
    separate: bool = False
    """A value is never attached to a short option: in ``-Lo 2 FILE`` both have one."""
    stops: bool = False
    """Options end at the first operand, whatever the syntax."""
    response_files: bool = False
    """A word ``@FILE`` stands for the words, options among them, that FILE holds."""
    follows: bool = False
    """Follows links beneath what it reads, whatever the options."""
    assignments: bool = False
    """Words NAME=VALUE before the first operand are variables of the inner command."""
    keys: Mapping[str, Role] | None = None
    """Operands are KEY=VALUE, with these keys."""
    alone: frozenset[str] = frozenset({"--help", "--version"})
    """Words that, as the only argument, make the program print something and end."""
    operands: Operands = NO_OPERANDS
    none: tuple[Effect, ...] = ()
    """When there is no operand."""
    effects: tuple[Effect, ...] = ()
    """Always."""
    anything: tuple[Effect, ...] | None = None
    """Whatever the arguments."""
    stdin: Role | None = None
    """What the program takes its input for, when it has no operand (or ``-``)."""
    modes: tuple[Mode, ...] = ()
    """The first that fits counts."""
    commands: Mapping[str, Table] | None = None
    default: str | None = None
    """The sub-command where none is named."""
    otherwise: str | None = None
    """The sub-command where the first argument is the name of none: it reads all of them."""
    language: str | None = None
    """The arguments are a text of their own: find, ps, test, xargs."""
