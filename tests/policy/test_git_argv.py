"""Argument vectors of git, and the kinds of their effects."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command
from agent_exec.policy.analyse import analyse
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.tables import Tables

_LINES = [
    line.split("\t")
    for line in Path(__file__).with_name("git_argv.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
_READS = frozenset({EffectKind.READ})


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def test_the_rows_are_many_and_each_stands_there_once() -> None:
    assert len({words for _, words in _LINES}) == len(_LINES) > 250


@pytest.mark.parametrize(("kinds", "words"), [pytest.param(*line, id=line[1]) for line in _LINES])
def test_git_does_what_its_row_says(kinds: str, words: str, tables: Tables) -> None:
    argv = ("git", *shlex.split(words))
    analysed = analyse([Command(argv, None)], tables, cwd="/w", variables={})
    effects = [effect for found in analysed for effect in found.effects]
    wanted = frozenset() if kinds == "-" else frozenset(map(EffectKind, kinds.split()))
    # Reading is said or not of what does more.
    assert {effect.kind for effect in effects} - _READS == wanted - _READS
    assert bool(effects) is bool(wanted)
