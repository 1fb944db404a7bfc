"""What the commands of a request do, and the facts that this rests on."""

from __future__ import annotations

from typing import NamedTuple

from agent_exec.model.effect import Effect
from agent_exec.model.request import Command


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
