"""What a judgement makes, some of which it makes without the constructors of its types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_exec.model.decision import Route
from agent_exec.model.request import Command
from agent_exec.policy.analyse import analyse
from agent_exec.policy.decide import Planned, decide
from agent_exec.policy.load import load_policy
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.look import look
from agent_exec.policy.look_program import Programs
from agent_exec.policy.options import parse


def named_tuples(value: object) -> Iterator[Any]:
    """Those in `value`, itself and whatever is inside."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            yield value
        for each in value:
            yield from named_tuples(each)


@pytest.mark.parametrize(
    "argv",
    [("head", "-n", "2", "a"), ("cp", "a", "b"), ("git", "-C", "x", "status"), ("env", "cat", "a")],
    ids=lambda argv: str(argv[0]),
)
def test_every_value_is_what_its_constructor_makes(argv: tuple[str, ...], tmp_path: Path) -> None:
    worktree, tables = str(tmp_path), load_tables()
    policy = load_policy("default", worktree=worktree)
    analysed = analyse((Command(argv, None),), tables, cwd=worktree, variables={})
    facts = look(analysed, Programs(policy.path, worktree, policy.trust), cwd=worktree)
    decision = decide(policy, analysed, facts, cwd=worktree, planned=Planned(Route.DIRECT))
    table = tables.get(argv[0])
    assert table is not None
    values = [*named_tuples((analysed, facts, decision, parse(table, argv)))]
    assert {type(value).__name__ for value in values} >= {"Analysed", "Facts", "Decision", "Parsed"}
    for value in values:
        assert type(value)(*value) == value
