"""What the commands of a request do, and the facts that this rests on."""

from __future__ import annotations

from agent_exec.model.effect import Effect
from agent_exec.model.request import Command
from agent_exec.named_tuple import NamedTuple


class Analysed(NamedTuple):
    """One command, and what it does."""

    command: Command
    of: int | None
    """Index of the command that would run this one; None for one of the call itself."""
    name: tuple[str, ...]
    """The program's name and its sub-commands, as its table has them: ``("git", "push")``."""
    effects: tuple[Effect, ...]
    rest: int = 1
    """Index of the first word after the name."""
    own: int = -1
    """The first so many effects are those of the program and its words; what a variable, a
    redirection or doubt adds comes after them. -1: all are its own."""
    plain: tuple[str, ...] = ()
    """Directories: the rest is right if no name beneath them would be split by xargs."""
    closed: tuple[str, ...] = ()
    """Directories: the rest is right if no link beneath them leads out of them."""
