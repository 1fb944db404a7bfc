"""All tool tables; each is made when a command first asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.environment import Environment, make_environment
from agent_exec.policy.table import Table
from agent_exec.policy.table_source import Shared, TableError, make_table, names_of

_VERSION = re.compile(r"-?[0-9]+(?:\.[0-9]+)*\Z")
_LONGEST_NAME = 255  # NAME_MAX


class Source(NamedTuple):
    """What stands in a file under the name of a program."""

    name: str
    table: Mapping[str, Any]
    where: str


class Tables:
    """The tables of programs and of a shell's builtins, and the variables that they obey.

    Args:
        programs: Files of programs: file name -> program -> its table, as in the YAML.
        builtins: The same of the builtins of a shell.
        environment: The content of ``environment.yaml``.

    Raises:
        TableError: A program stands there twice. What else is wrong with a table is
            found when it is first asked for; `check` asks for all.
    """

    def __init__(
        self,
        programs: Mapping[str, Mapping[str, Any]],
        builtins: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> None:
        self._sources: dict[tuple[str, bool], Source] = {}
        for file, tables in programs.items():
            self._add(file, tables, builtin=False)
        self._add("builtins.yaml", builtins, builtin=True)
        self._made: dict[tuple[str, bool], Table] = {}
        self._shared = Shared()
        self.environment: Environment = make_environment(environment, "environment.yaml")

    def get(self, name: str, *, builtin: bool = False) -> Table | None:
        """The table of the program (or builtin) `name`; None when there is none."""
        key = (name, builtin)
        try:
            return self._made[key]
        except KeyError:
            table = self._make(key)
            if table is not None:
                # Two threads may both make it: they come out equal.
                self._made[key] = table
            return table

    def names(self) -> tuple[str, ...]:
        """Every program with a table, sorted."""
        return tuple(sorted(name for name, builtin in self._sources if not builtin))

    def check(self) -> None:
        """Make every table.

        Raises:
            TableError: One is wrong.
        """
        for (name, builtin), source in self._sources.items():
            if source.name == name:
                self.get(name, builtin=builtin)

    def _add(self, file: str, tables: Mapping[str, Any], *, builtin: bool) -> None:
        for name, table in tables.items():
            where = f"{file}: {name}"
            source = Source(name, table, where)
            for spelling in names_of(name, table, where):
                if (spelling, builtin) in self._sources:
                    other = self._sources[spelling, builtin].where
                    raise TableError(f"{where}: {spelling} stands in {other} already")
                self._sources[spelling, builtin] = source

    def _make(self, key: tuple[str, bool]) -> Table | None:
        name, builtin = key
        source = self._sources.get(key)
        if source is None:
            if len(name) > _LONGEST_NAME:
                return None
            # python3.11, gcc-12: where the table says that such names mean the same.
            source = self._sources.get((_VERSION.sub("", name), builtin))
            if source is None or not source.table.get("versioned", False):
                return None
        if source.name != name:
            return self.get(source.name, builtin=builtin)
        return make_table(name, source.table, source.where, shared=self._shared)
