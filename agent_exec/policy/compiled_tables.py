r"""Tool tables as an installation has them: a line for each, read when it is asked for.

A process asks for a few of many hundred; YAML, or JSON as a whole, would be all that it has
time for. The file is text, so that one wheel serves every Python. Its lines:

* The first is an object of JSON: ``programs`` and ``builtins``, by name the number of a line
  or the name that has one; ``versioned``, a list of names; ``environment`` as in the YAML.
* A table: an object of JSON, with the fields of `Table` that are not as usual.
* An option: the fields of `Option`, a tab after each but the last that says something.

Lines are numbered from 0, and options and sub-commands named by the numbers of theirs. Effects
are one text, ``read .|network``. `compile_tables` writes the file, and reads it again to see
that the tables are equal to those written: so nothing is checked here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.named_tuple import new as _new
from agent_exec.policy.environment import make_environment
from agent_exec.policy.table import (
    Mode,
    Operand,
    Operands,
    Option,
    Role,
    Syntax,
    Table,
    operands_of,
)
from agent_exec.policy.tables import Tables

_ROLES = {each.value: each for each in Role}
_KINDS = {each.value: each for each in EffectKind}
_SYNTAXES = {each.value: each for each in Syntax}
_decode = json.JSONDecoder().raw_decode


def compiled_tables(text: str) -> Tables:
    """The tables of a file that `compile_tables` wrote."""
    lines = text.split("\n")
    index, _ = _decode(lines[0])
    reader = Reader(lines)
    return Tables(
        CompiledTables(index["programs"], frozenset(index["versioned"]), reader),
        CompiledTables(index["builtins"], frozenset(), reader),
        make_environment(index["environment"], "environment.yaml"),
    )


class CompiledTables:
    """Makes the tables that stand in the lines of a file."""

    def __init__(
        self, numbers: Mapping[str, int | str], versioned: frozenset[str], reader: Reader
    ) -> None:
        self._numbers = numbers
        self._versioned = versioned
        self._reader = reader
        self._made: dict[str, Table] = {}

    def names(self) -> Iterable[str]:
        return self._numbers

    def versioned(self, name: str) -> bool:
        return name in self._versioned

    def make(self, name: str) -> Table | None:
        number = self._numbers.get(name)
        if isinstance(number, str):
            return self.make(number)
        table = self._made.get(name)
        if table is None and number is not None:
            table = self._made[name] = self._reader.table(number, name)
        return table


class Commands(Mapping[str, Table]):
    """Sub-commands; the table of each is made when it is first asked for."""

    def __init__(self, numbers: Mapping[str, int], reader: Reader) -> None:
        self._numbers = numbers
        self._reader = reader
        self._made: dict[str, Table] = {}

    def __getitem__(self, word: str) -> Table:
        table = self._made.get(word)
        if table is None:
            table = self._made[word] = self._reader.table(self._numbers[word], word)
        return table

    def __contains__(self, word: object) -> bool:
        return word in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class Reader:
    """Reads lines; equal parts of tables are one value.

    It refers to nothing that refers to it: tables that nobody needs any more are gone at once.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._effects = _Effects()
        self._options = _Options(lines, self._effects)
        self._plain: dict[str, Operand] = {}
        self._leaves: dict[int, Table] = {}

    def table(self, number: int, name: str) -> Table:
        """The table in line `number`, of the program or sub-command `name`."""
        made = self._leaves.get(number)
        if made is not None:
            return made if made.name == name else _new(Table, (name, *made[1:]))
        said, _ = _decode(self._lines[number])
        for field in _FIELDS.keys() & said.keys():
            said[field] = _FIELDS[field](self, said[field])
        options = map(self._options.__getitem__, said.pop("options", ()))
        spellings = {spelling: option for option in options for spelling in option.names}
        longs = tuple(sorted([spelling for spelling in spellings if spelling[:2] == "--"]))
        made = Table(name=name, options=spellings, longs=longs, **said)
        if made.commands is None:
            self._leaves[number] = made
        return made

    def effects(self, said: str) -> tuple[Effect, ...]:
        return self._effects[said]

    def operands(self, said: Sequence[str | Mapping[str, Any]]) -> Operands:
        return operands_of(tuple([self._operand(each) for each in said]))

    def modes(self, said: Sequence[Mapping[str, Any]]) -> tuple[Mode, ...]:
        return tuple([self._mode(each) for each in said])

    def commands(self, said: Mapping[str, int]) -> Commands:
        return Commands(said, self)

    def _operand(self, said: str | Mapping[str, Any]) -> Operand:
        if not isinstance(said, str):
            return self._operand(said["role"])._replace(
                unless=frozenset(said["unless"]),
                given=frozenset(said["given"]),
                effects=self._effects[said["effects"]],
                absent=self._effects[said["absent"]],
            )
        made = self._plain.get(said)
        if made is None:
            made = self._plain[said] = Operand(_ROLES[said.rstrip("*")], said[-1] == "*")
        return made

    def _mode(self, said: Mapping[str, Any]) -> Mode:
        operands, none, effects = said["operands"], said["none"], said["effects"]
        return Mode(
            frozenset(said["given"]),
            unless=frozenset(said["unless"]),
            operands=None if operands is None else self.operands(operands),
            none=None if none is None else self._effects[none],
            effects=None if effects is None else self._effects[effects],
            values={
                name: tuple([_ROLES[role] for role in roles])
                for name, roles in said["values"].items()
            },
            input=said["input"],
        )


_FIELDS: Mapping[str, Callable[[Reader, Any], Any]] = {
    "syntax": lambda _, said: _SYNTAXES[said],
    "plus": lambda _, said: _ROLES[said],
    "keys": lambda _, said: {key: _ROLES[role] for key, role in said.items()},
    "alone": lambda _, said: frozenset(said),
    "operands": Reader.operands,
    "none": Reader.effects,
    "effects": Reader.effects,
    "anything": Reader.effects,
    "stdin": lambda _, said: _ROLES[said],
    "modes": Reader.modes,
    "commands": Reader.commands,
}


class _Effects(dict[str, tuple[Effect, ...]]):
    """Effects by the text that says them."""

    def __missing__(self, said: str) -> tuple[Effect, ...]:
        words = [each.partition(" ") for each in said.split("|")] if said else []
        made = self[said] = tuple([Effect(_KINDS[kind], path or None) for kind, _, path in words])
        return made


class _Options(dict[int, Option]):
    """Options by the number of their line."""

    def __init__(self, lines: Sequence[str], effects: _Effects) -> None:
        self._lines = lines
        self._effects = effects
        self._meanings: dict[str, tuple[Any, ...]] = {"": Option(())[1:]}

    def __missing__(self, number: int) -> Option:
        names, _, said = self._lines[number].partition("\t")
        meaning = self._meanings.get(said)
        if meaning is None:
            meaning = self._meanings[said] = self._meaning(*said.split("\t"))
        option = self[number] = _new(Option, (tuple(names.split(",")), *meaning))
        return option

    def _meaning(
        self,
        values: str,
        attached: str = "",
        effects: str = "",
        operands: str = "",
        because: str = "",
        follows: str = "",
    ) -> tuple[Any, ...]:
        """All of an option but its names."""
        return (
            tuple([_ROLES[role] for role in values.split(",")]) if values else (),
            _ROLES[attached] if attached else None,
            self._effects[effects],
            _ROLES[operands] if operands else None,
            because,
            bool(follows),
        )
