"""Hostile repositories under the sandbox: were git not hardened, they would run nothing either."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from policy.git_attacks import ATTACKS, Attack
from policy.git_place import make_repository, sh
from sandbox.forced import Forced

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
# That a terminal is needed keeps the others from showing anything here.
ROWS = [pytest.param(row, id=row.id) for row in ATTACKS if not row.terminal]


@pytest.mark.parametrize("attack", ROWS)
def test_git_with_the_rights_of_a_reader_runs_nothing_of_the_repository(
    attack: Attack, tmp_path: Path
) -> None:
    here, mark, program = make_repository(tmp_path), tmp_path / "mark", tmp_path / "run"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    sh(attack.prepare.replace("{mark}", str(mark)).replace("{run}", str(program)), here)
    mark.unlink(missing_ok=True)
    with Forced(here) as forced:
        forced.run(attack.argv)
    assert not mark.exists()


@pytest.mark.parametrize("argv", [("status", "-s"), ("diff",), ("log", "-p"), ("show", "HEAD")])
def test_git_with_the_rights_of_a_reader_reads(argv: tuple[str, ...], tmp_path: Path) -> None:
    here = make_repository(tmp_path)
    with Forced(here) as forced:
        outcome = forced.run(("git", *argv))
    assert (outcome.stages[0].exit_code, outcome.stderr.head) == (0, b"")
    assert outcome.stdout.head
