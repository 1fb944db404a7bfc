"""Tool tables as they are written: what `policies/tools/*.yaml` holds, and tests of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.environment import make_environment
from agent_exec.policy.table import Table, TableError
from agent_exec.policy.table_source import Shared, make_table, names_of
from agent_exec.policy.tables import Tables

BUILTINS = "builtins.yaml"
ENVIRONMENT = "environment.yaml"


def written_tables(files: Mapping[str, Mapping[str, Any]]) -> Tables:
    """The tables of `files`: file name -> program -> its table, as in the YAML.

    Raises:
        TableError: A program stands there twice, or the environment is wrong. What else is
            wrong with a table is found when it is first asked for.
    """
    shared = Shared()
    programs = {
        name: tables for name, tables in files.items() if name not in (BUILTINS, ENVIRONMENT)
    }
    return Tables(
        WrittenTables(programs, shared),
        WrittenTables({BUILTINS: files.get(BUILTINS, {})}, shared),
        make_environment(files.get(ENVIRONMENT, {}), ENVIRONMENT),
    )


class Source(NamedTuple):
    """What stands in a file under the name of a program."""

    name: str
    table: Mapping[str, Any]
    where: str


class WrittenTables:
    """Makes the tables of `files`.

    Raises:
        TableError: A name stands there twice.
    """

    def __init__(self, files: Mapping[str, Mapping[str, Any]], shared: Shared) -> None:
        self.sources: dict[str, Source] = {}
        """By every name, those under ``also`` too."""
        self._made: dict[str, Table] = {}
        self._shared = shared
        for file, tables in files.items():
            for name, table in tables.items():
                self._add(Source(name, table, f"{file}: {name}"))

    def names(self) -> Iterable[str]:
        return self.sources

    def versioned(self, name: str) -> bool:
        source = self.sources.get(name)
        return source is not None and bool(source.table.get("versioned", False))

    def make(self, name: str) -> Table | None:
        source = self.sources.get(name)
        if source is None:
            return None
        table = self._made.get(source.name)
        if table is None:
            table = make_table(source.name, source.table, source.where, shared=self._shared)
            self._made[source.name] = table
        return table

    def _add(self, source: Source) -> None:
        for spelling in names_of(source.name, source.table, source.where):
            if spelling in self.sources:
                other = self.sources[spelling].where
                raise TableError(f"{source.where}: {spelling} stands in {other} already")
            self.sources[spelling] = source
