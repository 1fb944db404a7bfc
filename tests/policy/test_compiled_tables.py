"""Tables as a wheel has them are those that were written."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from typing import Any

import pytest

from agent_exec.policy.compile_tables import compile_tables
from agent_exec.policy.compiled_tables import Commands, CompiledTables, Reader, compiled_tables
from agent_exec.policy.load_tables import read_tables, shipped
from agent_exec.policy.table import Table, TableError
from agent_exec.policy.tables import Tables
from agent_exec.policy.written_tables import BUILTINS, written_tables

RICH: dict[str, Any] = {
    "syntax": "posix",
    **dict.fromkeys(("numeric", "negatable", "dash", "old_style", "stops"), True),
    **dict.fromkeys(("separate", "response_files", "assignments", "follows"), True),
    "plus": "code",
    "stdin": "shell",
    "keys": {"if": "read", "of": "write"},
    "alone": [],
    "flags": ["-a, --all", "-é"],
    "values": ["-d, --data"],
    "optional": ["--color"],
    "options": {
        "-f": {"follows": True},
        "-x": {"values": ["read", "write"], "effects": ["network", "read /a b"], "because": "so"},
        "-y": {"optional": "read", "operands": "delete"},
    },
    "operands": [
        "data",
        {"role": "read*", "if": ["-a"], "unless": ["--data"], "absent": ["read ."]},
    ],
    "none": ["state"],
    "effects": ["write out", "privilege"],
    "modes": [
        {"if": ["-a"], "unless": ["-d"], "none": [], "values": {"-d": ["read"]}, "input": True},
        {"if": ["--color"], "effects": [], "operands": ["write"]},
    ],
    "commands": {
        "one, eins": {"flags": ["-a, --all"], "commands": {"deep": {"effects": ["delete ."]}}},
        "any": {"anything": ["unknown"], "also": ["every"], "language": "find"},
    },
    "default": "one",
    "otherwise": "any",
}


@pytest.fixture(scope="module")
def files() -> Mapping[str, Mapping[str, Any]]:
    return read_tables(os.path.join(shipped(), "tools"))


def parts(table: Table | None) -> Table | None:
    """`table` with all of its sub-commands in dicts."""
    if table is None or table.commands is None:
        return table
    commands = {name: parts(each) for name, each in table.commands.items()}
    return table._replace(commands=commands)  # type: ignore[arg-type]  # none of them is None


def names_of(tables: Tables) -> list[tuple[str, bool]]:
    builtins = tables.builtins.names()
    return [*((name, False) for name in tables.names()), *((name, True) for name in builtins)]


def test_all_shipped_tables_are_the_same(files: Mapping[str, Mapping[str, Any]]) -> None:
    written, compiled = written_tables(files), compiled_tables(compile_tables(files))
    assert names_of(compiled) == names_of(written)
    assert len(list(compiled.builtins.names())) > 5
    for name, builtin in names_of(written):
        expected, found = (each.get(name, builtin=builtin) for each in (written, compiled))
        assert parts(found) == parts(expected)
        assert found is not None
        assert expected is not None
        # What an abbreviation may mean, and what a person reads, follows this order.
        assert list(found.options) == list(expected.options)
    assert compiled.environment == written.environment


@pytest.mark.parametrize(
    "name", ["python3.11", "gcc-12", "python3.11x", "ls-2", "3.11", "", "1" * 10_000, "no\nsuch"]
)
def test_a_version_belongs_to_the_same_names(
    files: Mapping[str, Mapping[str, Any]], name: str
) -> None:
    written, compiled = written_tables(files), compiled_tables(compile_tables(files))
    assert parts(compiled.get(name)) == parts(written.get(name))


def test_a_table_keeps_all_that_it_says() -> None:
    files: dict[str, dict[str, Any]] = {
        "own.yaml": {"prog": {**RICH, "also": ["p"]}},
        BUILTINS: {"prog": {}},
    }
    compiled = compiled_tables(compile_tables(files))
    found, expected = compiled.get("p"), written_tables(files).get("prog")
    assert expected is not None
    # Not one field of it is as it is where nothing is said, but `anything`, which ends all else.
    usual = Table("")
    assert [name for name in Table._fields if getattr(expected, name) == getattr(usual, name)] == [
        *("anything", "language")
    ]
    assert parts(found) == expected
    assert compiled.get("prog", builtin=True) == Table("prog")
    assert compiled.get("p", builtin=True) is None


def test_sub_commands_are_a_mapping() -> None:
    table = compiled_tables(compile_tables({"own.yaml": {"prog": RICH}})).get("prog")
    assert table is not None
    assert isinstance(table.commands, Commands)
    assert list(table.commands) == ["one", "eins", "any", "every"]
    assert len(table.commands) == 4
    assert "eins" in table.commands
    assert "zwei" not in table.commands
    assert table.commands.get("zwei") is None
    assert table.commands["eins"].name == "eins"
    assert table.commands["eins"] is table.commands["eins"]


def test_tables_that_nobody_needs_are_gone_at_once(files: Mapping[str, Mapping[str, Any]]) -> None:
    text = compile_tables(files)
    gc.collect()
    others = len(_there())
    tables = compiled_tables(text)
    tables.check()
    assert tables.get("git") is not None
    gc.disable()
    try:
        assert len(_there()) > others
        del tables
        assert len(_there()) == others
    finally:
        gc.enable()


def _there() -> list[object]:
    """All tables of a wheel, and their readers. What is compiled has no weak references."""
    return [each for each in gc.get_objects() if isinstance(each, CompiledTables | Reader)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param({"effects": ["read a|b"]}, r"'a\|b'", id="mark-between-effects"),
        pytest.param({"options": {"-a": {"because": "a\tb"}}}, r"'a\\tb'", id="tab"),
        pytest.param({"options": {"-a": {"because": "a\nb"}}}, r"'a\\nb'", id="line"),
        pytest.param({"effects": ["reads"]}, "own.yaml: prog.effects: 'reads'", id="wrong"),
        pytest.param({"commands": {"a": {"flag": []}}}, "own.yaml: prog.commands.a", id="deep"),
    ],
)
def test_what_cannot_be_compiled_stops_the_build(source: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        compile_tables({"own.yaml": {"prog": source}})


def test_a_field_that_is_lost_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Commands, "__len__", lambda _: 0)
    monkeypatch.setattr(Commands, "__iter__", lambda _: iter(()))
    with pytest.raises(TableError, match="prog: what its table says cannot be compiled"):
        compile_tables({"own.yaml": {"prog": RICH}})
