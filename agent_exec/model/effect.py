"""What a command does beyond computing."""

from __future__ import annotations

from enum import StrEnum

from agent_exec.named_tuple import NamedTuple


class EffectKind(StrEnum):
    """Of an effect."""

    READ = "read"
    WRITE = "write"
    """Creates, changes, or changes the attributes of."""
    DELETE = "delete"
    EXECUTE = "execute"
    """Runs a program, or code that is no program: a script, a hook, a text."""
    NETWORK = "network"
    STATE = "state"
    """Processes, the clock, services, accounts, remotes."""
    PRIVILEGE = "privilege"
    """Gains or changes rights: sudo, setuid, capabilities."""
    UNKNOWN = "unknown"
    """Nobody has said what it does."""


class Effect(NamedTuple):
    """One thing that a command does.

    A READ, WRITE, DELETE or EXECUTE without a path (or argv) concerns files that nobody can name
    beforehand; no `paths` of a rule that allows covers it.
    """

    kind: EffectKind
    path: str | None = None
    """As the command names it: absolute, or relative to the directory where it works."""
    argv: tuple[str, ...] | None = None
    """Of EXECUTE: the inner command, which is judged in turn."""
    because: str = ""
    """In words for people: ``-o writes its value``."""
