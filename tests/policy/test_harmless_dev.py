"""Commands of developers' tools that only read: a policy that asks about them is no policy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from policy.judging import Bench

from agent_exec.model.decision import Verdict

HARMLESS = tuple((Path(__file__).parent / "harmless_dev.txt").read_text().splitlines())
LEAST_ALLOWED = 0.97


@pytest.fixture(scope="module")
def worktree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("harmless")
    if shutil.which("git") is not None:
        subprocess.run(["git", "init", "-q"], cwd=here, check=True)
    return here


@pytest.mark.parametrize("policy", ["default", "read-only"])
def test_nearly_all_harmless_commands_are_allowed(policy: str, worktree: Path) -> None:
    bench = Bench(policy, worktree)
    refused = {
        line: decision.because
        for line in HARMLESS
        if (decision := bench.judge(line)).verdict is not Verdict.ALLOW
    }
    assert len(refused) <= (1 - LEAST_ALLOWED) * len(HARMLESS), refused


def test_the_lines_are_many_and_each_is_there_once() -> None:
    assert len(set(HARMLESS)) == len(HARMLESS) >= 150
