"""Write tool tables as `compiled_tables` reads them: when a wheel is built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent_exec.model.effect import Effect
from agent_exec.policy.compiled_tables import compiled_tables
from agent_exec.policy.table import Mode, Operand, Option, Table, TableError
from agent_exec.policy.tables import Tables, TableSource
from agent_exec.policy.written_tables import ENVIRONMENT, written_tables

_UNSAID = Table("")


def compile_tables(files: Mapping[str, Mapping[str, Any]]) -> str:
    """All of `files` (file name -> what stands in the YAML) in the form of `compiled_tables`.

    Raises:
        TableError: A table is wrong, or holds what this form cannot.
    """
    tables = written_tables(files)
    tables.check()
    lines = _Lines()
    index = {
        "programs": _index(tables.programs, lines),
        "builtins": _index(tables.builtins, lines),
        "versioned": [name for name in tables.names() if tables.programs.versioned(name)],
        "environment": files.get(ENVIRONMENT, {}),
    }
    text = "\n".join([_json(index), *lines.numbers])
    _compare(tables, compiled_tables(text))
    return text


def _compare(tables: Tables, compiled: Tables) -> None:
    """Raise for a table that does not come out as it went in."""
    for written, read in (
        (tables.programs, compiled.programs),
        (tables.builtins, compiled.builtins),
    ):
        for name in written.names():
            if written.make(name) != read.make(name):
                raise TableError(f"{name}: what its table says cannot be compiled")


def _index(source: TableSource, lines: _Lines) -> dict[str, int | str]:
    index: dict[str, int | str] = {}
    for name in source.names():
        table = source.make(name)
        assert table is not None
        index[name] = lines.table(table) if table.name == name else table.name
    return index


class _Lines:
    """The lines after the first, equal ones once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def table(self, table: Table) -> int:
        """The number of the line that says all of `table` but its name."""
        said: dict[str, Any] = {
            field: value
            for field, value, unsaid in zip(Table._fields, table, _UNSAID, strict=True)
            if value != unsaid
        }
        for field in ("name", "longs", "options"):
            said.pop(field, None)
        options = dict.fromkeys(table.options.values())
        if options:
            said["options"] = [self._number(_option(option)) for option in options]
        for field in ("none", "effects", "anything"):
            if field in said:
                said[field] = _effects(said[field])
        if "alone" in said:
            said["alone"] = sorted(table.alone)
        if "operands" in said:
            said["operands"] = _operands(table.operands.specs)
        if "modes" in said:
            said["modes"] = [_mode(mode) for mode in table.modes]
        if table.commands is not None:
            said["commands"] = {word: self.table(each) for word, each in table.commands.items()}
        return self._number(_json(said))

    def _number(self, line: str) -> int:
        return self.numbers.setdefault(line, len(self.numbers) + 1)


def _option(option: Option) -> str:
    fields = (
        ",".join(option.names),
        ",".join(option.values),
        option.attached or "",
        _effects(option.effects),
        option.operands or "",
        option.because,
        "follows" if option.follows else "",
    )
    for field in fields:
        _hold(field, "\t\n")
    return "\t".join(fields).rstrip("\t")


def _effects(effects: Sequence[Effect]) -> str:
    for effect in effects:
        _hold(effect.path or "", "|")
    return "|".join(f"{kind} {path}" if path else kind for kind, path, *_ in effects)


def _hold(text: str, marks: str) -> None:
    for mark in marks:
        if mark in text:
            raise TableError(f"{text!r} cannot be compiled: {mark!r} stands in it")


def _operands(operands: Iterable[Operand]) -> list[Any]:
    return [_operand(operand) for operand in operands]


def _operand(operand: Operand) -> str | dict[str, Any]:
    role = f"{operand.role}*" if operand.repeats else str(operand.role)
    if operand == Operand(operand.role, operand.repeats):
        return role
    return {
        "role": role,
        "unless": sorted(operand.unless),
        "given": sorted(operand.given),
        "effects": _effects(operand.effects),
        "absent": _effects(operand.absent),
    }


def _mode(mode: Mode) -> dict[str, Any]:
    return {
        "given": sorted(mode.given),
        "unless": sorted(mode.unless),
        "operands": None if mode.operands is None else _operands(mode.operands.specs),
        "none": None if mode.none is None else _effects(mode.none),
        "effects": None if mode.effects is None else _effects(mode.effects),
        "values": mode.values,
        "input": mode.input,
    }


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
