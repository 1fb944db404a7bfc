"""Effects that need no right to write a file by its name: none gets out of a reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.forced import Forced, without_write

from agent_exec.sandbox import landlock

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(landlock.version() < landlock.SCOPE_SINCE, reason="needs newer Landlock"),
]
PROGRAM = Path(__file__).parents[1] / "programs" / "try_effects.py"
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable


@pytest.fixture
def victim() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (tree / name).write_text("one\n")
    shutil.copy(PROGRAM, tree)
    return tree


def look(tree: Path) -> dict[str, tuple[object, ...]]:
    return {
        path.name: (path.read_bytes(), *path.stat()[:3], path.stat().st_mtime_ns)
        for path in tree.iterdir()
    }


def test_the_ways_are_ways(tmp_path: Path, victim: int) -> None:
    """Without a sandbox all get through, so that it is what stops them below."""
    here = tree(tmp_path)
    words = [PYTHON, PROGRAM.name, str(victim), str(here)]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    said = subprocess.run(words, cwd=here, env=environ, capture_output=True, text=True, check=True)
    ways = PROGRAM.read_text().partition("\nWAYS: ")[2].partition("\n}\n")[0]
    names = [line.split('"')[1] for line in ways.splitlines() if line.startswith('    "')]
    assert said.stdout.split("\n")[1:-1] == names, said.stderr


@pytest.mark.parametrize("who", ["reader", "without_write"])
def test_none_gets_out(who: str, tmp_path: Path, victim: int) -> None:
    here = tree(tmp_path)
    before = look(here)
    with Forced(here) as forced:
        rights = None if who == "reader" else without_write()
        outcome = forced.run((PYTHON, PROGRAM.name, str(victim), str(here)), rights)
    assert outcome.stdout.head == b"own work\n", outcome.stderr.head
    assert look(here) == before
