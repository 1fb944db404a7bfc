"""Pipelines that print names of files, and what they hand to xargs."""

from __future__ import annotations

import pytest

from agent_exec.policy.analyse import analyse
from agent_exec.policy.listers import names_listed
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.tables import Tables
from agent_exec.shell.reading import Scope, read


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def _listed(text: str, tables: Tables) -> tuple[str, ...] | None:
    commands = read(text, Scope({}, home=None, cwd="/work")).commands
    analysed = analyse(commands, tables, cwd="/work", variables={})
    return names_listed([found for found in analysed if found.of is None])


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("find src -name '*.py'", ("src/",)),
        ("find a b", ("a/", "b/")),
        ("find . | sort | head -3", ("./",)),
        ("find . | grep -v test | tac", ("./",)),
        ("fd main", (".",)),
        ("rg -l main src", ("src/",)),
        ("rg --files", (".",)),
        ("grep -rl main src", ("src/",)),
        ("find src -printf '%s %p\\n' | sort -n | awk '{print $2}'", ("src/", ".")),
        ("find src -printf '%T+ %p\\n' | cut -d' ' -f2-", ("src/", ".")),
        ("find src -ls | awk '{print $NF}'", ("src/", ".")),
        ("find src -type f -exec md5sum {} + | awk '{print $2}'", ("src/", ".")),
        ("du -a src | sort -n | awk '{ print $2; }'", ("src/", ".")),
        ("ls -l src | awk 'NR==2 {print $9}'", ("src/", ".")),
        ("wc -l a.txt | awk '{print $2}'", ("a.txt/", ".")),
    ],
)
def test_names_lie_beneath(text: str, folders: tuple[str, ...], tables: Tables) -> None:
    assert _listed(text, tables) == folders


@pytest.mark.parametrize(
    "text",
    [
        "cat list",
        "echo /etc/shadow",
        "find . -printf '/etc/shadow\\n'",
        "find . -exec echo /etc/shadow \\;",
        "find . | sed s/^/x/",
        "find . | awk '{print \"/etc/shadow\"}'",
        "find . | grep -o x",
        "find . | uniq -c",
        "find . | head -c 5",
        "find . | awk '{print $1}' a.txt",
        "fd -x echo /etc/shadow",
        "fd --format /etc/shadow",
        "grep -rl --label=/etc/shadow x - src",
        "git ls-files --format=/etc/shadow",
        "git -C .. ls-files",
        "find . -printf '%s /etc/shadow\\n' | awk '{print $2}'",
        "find . -printf '%s %l\\n' | awk '{print $2}'",
        "find . -exec wc /etc/shadow {} \\; | awk '{print $2}'",
        "find . -exec ls -l --time-style=+/etc/shadow {} \\; | awk '{print $6}'",
        "find . -exec head {} \\; | awk '{print $1}'",
        "ls -l --time-style=+/etc/shadow src | awk '{print $6}'",
        "ls -la src | awk '{print $9}'",
        "du --time --time-style=+/etc/shadow src | awk '{print $2}'",
        "ls -f src | awk '{print $1}'",
        "cat a.txt | awk '{print $1}'",
        "find . -ls | awk -F/ '{print $2}'",
        "find . -ls | cut -d/ -f2",
    ],
)
def test_anything_may_be_printed(text: str, tables: Tables) -> None:
    assert _listed(text, tables) is None
