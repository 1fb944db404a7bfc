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

from agent_exec.model.decision import Executor, Verdict

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")


def _version() -> tuple[int, int]:
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None
    return int(found[1]), int(found[2])


ROWS = [pytest.param(row, id=row.id) for row in ATTACKS]
SEEN_HERE = [pytest.param(row, id=row.id) for row in ATTACKS if _version() >= row.since]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("repository"))


def _prepared(attack: Attack, repository: Path, top: Path) -> tuple[Path, Path]:
    here, mark, program = top / "here", top / "mark", top / "run"
    shutil.copytree(repository, here, symlinks=True)
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    text = attack.prepare.replace("{mark}", str(mark)).replace("{run}", str(program))
    sh(text, here)
    mark.unlink(missing_ok=True)
    return here, mark


@pytest.mark.parametrize("attack", SEEN_HERE)
def test_git_runs_what_the_repository_says(
    attack: Attack, repository: Path, tmp_path: Path
) -> None:
    here, mark = _prepared(attack, repository, tmp_path)
    enter(here, attack.argv, {}, terminal=attack.terminal)
    assert mark.exists()


@pytest.mark.parametrize("attack", ROWS)
def test_git_that_may_only_read_runs_nothing(
    attack: Attack, repository: Path, tmp_path: Path
) -> None:
    here, mark = _prepared(attack, repository, tmp_path)
    bench = Bench("default", here)
    if "hook" not in attack.id:  # a host cannot harden git
        by_host = bench.judge(attack.argv, executor=Executor.HOST)
        assert by_host.verdict is not Verdict.ALLOW
    decision = bench.judge(attack.argv)
    assert (decision.verdict is Verdict.ALLOW) is attack.allowed, decision.because
    if attack.allowed:
        variables = dict(decision.commands[0].variables)
        enter(here, attack.argv, variables, terminal=attack.terminal)
        assert not mark.exists()
