"""Commands that hide something, forced to run: the sandbox holds where the judgement was fooled.

That each of them does what its row says, without a sandbox, is seen by `policy/test_hidden.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from policy import hidden_more, hidden_options, hidden_shell, hidden_wrappers
from policy.hidden import Hidden, Seen
from policy.hidden_place import installed, make_place
from sandbox.forced import Forced, has_effect

TABLES: dict[str, Sequence[Hidden]] = {
    "shell": hidden_shell.ROWS,
    "wrappers": hidden_wrappers.ROWS,
    "options": hidden_options.ROWS,
    "more": hidden_more.ROWS,
}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def forced(tmp_path: Path) -> Iterator[Forced]:
    with Forced(make_place(tmp_path)) as made:
        yield made


def _rows(table: str) -> Sequence[Hidden]:
    return [
        row
        for row in TABLES[table]
        if row.seen is not Seen.NOT
        and all(map(installed, (*([] if isinstance(row.call, str) else row.call[:1]), *row.needs)))
    ]


@pytest.mark.parametrize("table", TABLES)
def test_no_hidden_command_has_an_effect_with_the_rights_of_a_reader(
    table: str, forced: Forced
) -> None:
    rows = _rows(table)
    assert [row.id for row in rows if has_effect(row, forced, may_read=False)] == []
    assert len(rows) > 20


@pytest.mark.parametrize("table", TABLES)
def test_no_hidden_command_writes_without_the_right_to(table: str, forced: Forced) -> None:
    rows = [row for row in _rows(table) if row.seen is not Seen.LEAK]
    before = _names(Path(forced.worktree).parent)
    assert [row.id for row in rows if has_effect(row, forced, may_read=True)] == []
    made = _names(Path(forced.worktree).parent) - before
    asked_for = {name.removesuffix("*") for row in rows for name in row.files}
    assert {os.path.basename(name) for name in made} <= {
        part for name in asked_for for part in name.split("/")
    }


def _names(folder: Path) -> set[str]:
    """Of all that lies beneath, but for the objects of the repository."""
    return {str(each) for each in folder.rglob("*") if ".git/" not in str(each)}
