"""All tool tables; each is made when a command first asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from agent_exec.policy.environment import Environment
from agent_exec.policy.table import Table
from agent_exec.regex import regex

_VERSION = regex(r"-?[0-9]+(?:\.[0-9]+)*\Z")
_LONGEST_NAME = 255  # NAME_MAX


class TableSource(Protocol):
    """Where tables are made: of all programs, or of the builtins of a shell."""

    def names(self) -> Iterable[str]:
        """Every name with a table."""

    def versioned(self, name: str) -> bool:
        """Does `name` with a version behind it mean the same?"""

    def make(self, name: str) -> Table | None:
        """The table of `name`; None when there is none. Names of one table get equal ones.

        Raises:
            TableError: It is wrong.
        """


class Tables:
    """The tables of programs and of a shell's builtins, and the variables that they obey."""

    def __init__(
        self, programs: TableSource, builtins: TableSource, environment: Environment
    ) -> None:
        self.programs = programs
        self.builtins = builtins
        self._made: dict[tuple[str, bool], Table] = {}
        self.environment = environment

    def get(self, name: str, *, builtin: bool = False) -> Table | None:
        """The table of the program (or builtin) `name`; None when there is none."""
        key = (name, builtin)
        try:
            return self._made[key]
        except KeyError:
            table = self._make(name, self.builtins if builtin else self.programs)
            if table is not None:
                # Two threads may both make it: they come out equal.
                self._made[key] = table
            return table

    def names(self) -> tuple[str, ...]:
        """Every program with a table, sorted."""
        return tuple(sorted(self.programs.names()))

    def check(self) -> None:
        """Make every table, those of sub-commands too.

        Raises:
            TableError: One is wrong.
        """
        for source in (self.programs, self.builtins):
            made = [(name, source.make(name)) for name in source.names()]
            waiting = [table for name, table in made if table is not None and table.name == name]
            while waiting:
                commands = waiting.pop().commands
                if commands is not None:
                    waiting += commands.values()

    def _make(self, name: str, source: TableSource) -> Table | None:
        table = source.make(name)
        if table is not None or len(name) > _LONGEST_NAME:
            return table
        # python3.11, gcc-12: where the table says that such names mean the same.
        plain = _VERSION.sub("", name)
        return source.make(plain) if source.versioned(plain) else None
