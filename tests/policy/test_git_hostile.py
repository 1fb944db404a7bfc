"""Hostile repositories: what they run when git reads in them, and that hardened it does not."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from policy.git_attacks import ATTACKS, Attack
from policy.git_place import enter, make_repository, sh
from policy.judging import Bench

from agent_exec.model.decision import Decision, Executor, Verdict

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")


def _version() -> tuple[int, int]:
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None
    return int(found[1]), int(found[2])


ROWS = [pytest.param(row, id=row.id) for row in ATTACKS]
SEEN_HERE = [pytest.param(row, id=row.id) for row in ATTACKS if _version() >= row.since]


def _prepared(attack: Attack, top: Path) -> tuple[Path, Path]:
    here, mark, program = make_repository(top), top / "mark", top / "run"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    text = attack.prepare.replace("{mark}", str(mark)).replace("{run}", str(program))
    sh(text, here)
    mark.unlink(missing_ok=True)
    return here, mark


def _judge(attack: Attack, here: Path, executor: Executor = Executor.OURS) -> Decision:
    return Bench("default", here).judge(attack.argv, executor=executor)


@pytest.mark.parametrize("attack", SEEN_HERE)
def test_git_runs_what_the_repository_says(attack: Attack, tmp_path: Path) -> None:
    here, mark = _prepared(attack, tmp_path)
    enter(here, attack.argv, {}, terminal=attack.terminal)
    assert mark.exists()


@pytest.mark.parametrize("attack", ROWS)
def test_git_that_may_only_read_runs_nothing(attack: Attack, tmp_path: Path) -> None:
    here, mark = _prepared(attack, tmp_path)
    decision = _judge(attack, here)
    assert (decision.verdict is Verdict.ALLOW) is attack.allowed, decision.because
    if attack.allowed:
        variables = dict(decision.commands[0].variables)
        enter(here, attack.argv, variables, terminal=attack.terminal)
        assert not mark.exists()


@pytest.mark.parametrize("attack", [row for row in ROWS if "hook" not in str(row.id)])
def test_a_host_that_cannot_harden_git_asks(attack: Attack, tmp_path: Path) -> None:
    here, _ = _prepared(attack, tmp_path)
    assert _judge(attack, here, Executor.HOST).verdict is not Verdict.ALLOW
