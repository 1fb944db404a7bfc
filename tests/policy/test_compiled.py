"""What is compiled of a judgement judges as its source does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

import agent_exec
from agent_exec.policy.analyse import analyse

TESTS = Path(__file__).parents[1]


def judge_many(worktree: Path, *first: Path) -> list[str]:
    """What judge_many.py says, where modules are looked for in `first` before all others."""
    path = os.pathsep.join(map(str, (*first, TESTS)))
    ran = subprocess.run(
        [sys.executable, "-P", str(TESTS / "policy" / "judge_many.py"), str(worktree)],
        # What is a set is shown in the same order by both.
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return ran.stdout.decode().splitlines()


@pytest.mark.skipif(isinstance(analyse, FunctionType), reason="nothing is compiled here")
@pytest.mark.timeout(300)
def test_what_is_compiled_judges_as_its_source_does(tmp_path: Path) -> None:
    package = Path(agent_exec.__file__).parent
    sources = tmp_path / "sources"
    others = shutil.ignore_patterns("*.cpython-*.so", "__pycache__")
    shutil.copytree(package, sources / package.name, ignore=others)
    worktree = (tmp_path / "worktree").resolve()
    (worktree / "src").mkdir(parents=True)
    for name in ("a.txt", ".env", "src/main.py"):
        (worktree / name).touch()
    (worktree / "link").symlink_to("src")
    compiled, interpreted = judge_many(worktree), judge_many(worktree, sources)
    assert (compiled[0], interpreted[0]) == ("compiled", "interpreted")
    assert len(compiled) > 10_000
    different = [
        both for both in zip(compiled[1:], interpreted[1:], strict=True) if len({*both}) > 1
    ]
    assert different == []
