"""Clients of services, of other machines and of accounts: the kinds of what they do."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from agent_exec.model.request import Command
from agent_exec.policy.analyse import analyse
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.tables import Tables

_LINES = [
    line.split("\t")
    for line in Path(__file__).with_name("service_argv.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


@pytest.mark.parametrize(("kinds", "words"), [pytest.param(*line, id=line[1]) for line in _LINES])
def test_a_client_does_what_its_row_says(kinds: str, words: str, tables: Tables) -> None:
    analysed = analyse([Command(tuple(shlex.split(words)), None)], tables, cwd="/w", variables={})
    found = {effect.kind.value for each in analysed for effect in each.effects}
    assert " ".join(sorted(found)) == kinds.removeprefix("-")
