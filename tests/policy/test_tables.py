"""Tool tables: those that are shipped are right, and a wrong one says where it is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agent_exec.policy.load_tables import load_tables, read_tables, shipped
from agent_exec.policy.table import TableError
from agent_exec.policy.table_source import make_table
from agent_exec.policy.written_tables import written_tables

MOST = """
ls cat head tail wc sort uniq cut tr nl tac rev paste join comm fold fmt od xxd base64
md5sum sha256sum stat file du df touch mkdir rmdir rm cp mv ln chmod chown tee split
truncate dd mktemp realpath readlink basename dirname pwd echo printf test true false
seq date sleep env timeout nice nohup xargs find fd locate grep rg ag ack sed awk jq yq
diff cmp patch git gh tar gzip zip unzip xz zstd curl wget ssh scp rsync nc dig ping
python3 pip pytest ruff mypy node npm npx yarn pnpm tsc cargo rustc go gofmt java mvn
gradle ruby gem bundle perl php make cmake ninja gcc g++ clang ld ar nm objdump strings
docker kubectl terraform ps top kill pkill pgrep lsof free uptime uname whoami id
hostname which man less more vim nano tree column watch strace gdb openssl gpg sqlite3
apt apt-get dpkg systemctl journalctl sudo crontab tmux bc expr
"""


def test_every_shipped_table_is_right() -> None:
    tables = load_tables()
    tables.check()
    assert len(tables.names()) > 1000


def test_the_programs_that_agents_use_most_have_tables() -> None:
    tables = load_tables()
    assert [name for name in MOST.split() if tables.get(name) is None] == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("python3.11", True),
        ("python3", True),
        ("gcc-12", True),
        ("python3.11x", False),
        ("ls-2", False),
        ("ls2", False),
        ("python3.11\n", False),
        ("", False),
        ("3.11", False),
        ("1" * 10_000, False),
    ],
)
def test_a_version_belongs_to_a_name_where_the_table_says_so(name: str, known: bool) -> None:
    assert (load_tables().get(name) is not None) is known


def test_a_builtin_is_another_thing_than_a_program() -> None:
    tables = load_tables()
    assert tables.get("cd") is None
    assert tables.get("cd", builtin=True) is not None
    assert tables.get("rg", builtin=True) is None


def test_a_program_stands_in_one_place() -> None:
    with pytest.raises(TableError, match=r"b\.yaml: y: x stands in a\.yaml: x already"):
        written_tables({"a.yaml": {"x": {}}, "b.yaml": {"y": {"also": ["x"]}}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x:\n  flags: [-a]\n  flags: [-b]\n", r"own\.yaml:3: flags", id="key-twice"),
        pytest.param("x: {}\ny: {}\nx: {}\n", r"own\.yaml:3: x stands", id="program-twice"),
        pytest.param("x:\n  options:\n    no: {}\n", r"own\.yaml:3: put 'no'", id="boolean"),
        pytest.param("true: {}\n", r"own\.yaml:1: put 'true' in quotes", id="boolean-program"),
        pytest.param("7: {}\n", r"own\.yaml:1: put '7' in quotes", id="number"),
        pytest.param("x: [\n", r"(?s)own\.yaml: .*line 2", id="no-yaml"),
        pytest.param("- x\n", r"own\.yaml: a file of tables is a mapping", id="a-list"),
        pytest.param("", r"own\.yaml: a file of tables is a mapping", id="nothing"),
        pytest.param("x: !!python/name:os.system\n", r"own\.yaml: ", id="an-object"),
    ],
)
def test_what_yaml_would_let_pass_is_an_error_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(TableError, match=message):
        read_tables(str(tmp_path))


def test_an_alias_may_stand_for_a_part() -> None:
    files = read_tables(os.path.join(shipped(), "tools"))
    assert files["archives.yaml"]["gzip"] is not None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param({"flag": ["-a"]}, "flag", id="unknown-key"),
        pytest.param({"flags": ["-a", "-a"]}, "-a stands there more than once", id="twice"),
        pytest.param({"flags": ["-a"], "values": ["-b, -a"]}, "-a stands", id="two-kinds"),
        pytest.param({"flags": ["a"]}, "'a' is no option", id="no-dash"),
        pytest.param({"flags": ["-"]}, "'-' is no option", id="dash-alone"),
        pytest.param({"options": {"-o": {"value": "rite"}}}, "'rite' is none of", id="role"),
        pytest.param({"options": {"-o": {"vaule": "write"}}}, "vaule", id="key-of-an-option"),
        pytest.param({"options": {"-o": "write"}}, "-o: an option is a mapping", id="no-mapping"),
        pytest.param({"operands": ["read*", "data*"]}, "one of the operands", id="two-repeat"),
        pytest.param({"operands": [{"role": "read", "unless": ["-x"]}]}, "no option -x", id="if"),
        pytest.param({"operands": [7]}, "a role or a mapping", id="operand"),
        pytest.param({"effects": ["reads ."]}, "'reads' is none of", id="kind"),
        pytest.param({"effects": [7]}, "an effect is a kind", id="no-effect"),
        pytest.param({"syntax": "bsd"}, "'bsd' is none of", id="syntax"),
        pytest.param({"modes": [{"if": ["-q"]}]}, "no option -q", id="mode"),
        pytest.param({"commands": {"a": 1}}, "commands.a: a table is a mapping", id="command"),
        pytest.param({"commands": {"a": {}, "b": {"also": ["a"]}}}, "more than once", id="also"),
        pytest.param({"commands": {"a": {"flag": []}}}, "commands.a", id="deeper"),
    ],
)
def test_a_wrong_table_says_where_it_is_wrong(source: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message) as raised:
        make_table("prog", source, "own.yaml: prog")
    assert str(raised.value).startswith("own.yaml: prog")
