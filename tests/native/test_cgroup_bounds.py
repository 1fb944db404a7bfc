"""Limits of a cgroup: which files get which words. On a tree of ordinary files.

What a kernel does with them cannot be tried where no cgroup v2 has these controllers.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "agent_exec" / "_native"
PROGRAM = Path(__file__).parents[1] / "programs" / "cgroup_bounds.c"
WRITTEN = ("cgroup.subtree_control", "pids.max", "memory.max", "memory.oom.group")


@pytest.fixture(scope="module")
def bounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bounds") / "bounds"
    sources = [PROGRAM, SOURCES / "cgroup_bounds.c"]
    subprocess.run(["gcc", "-std=gnu11", "-I", SOURCES, "-o", made, *sources], check=True)
    return made


class Tree:
    """A cgroup with a leaf, in which nothing is behind the files."""

    def __init__(self, folder: Path, controllers: str, handed_on: str = "") -> None:
        self.path = folder / "ours"
        self.leaf = self.path / "kill-0"
        self.leaf.mkdir(parents=True)
        (self.path / "cgroup.controllers").write_text(controllers)
        (self.path / "cgroup.subtree_control").write_text(handed_on)
        for name in ("pids.max", "memory.max", "memory.oom.group", "memory.swap.max"):
            (self.leaf / name).touch()

    def limit(self, program: Path, processes: int, memory: int) -> str:
        words = [str(program), str(self.path), str(self.leaf), str(processes), str(memory)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def written(self) -> list[str]:
        return [
            (self.path if "cgroup" in name else self.leaf).joinpath(name).read_text()
            for name in WRITTEN
        ]


CASES = {
    "both": ("cpu memory pids\n", "", 64, 1 << 30, "1 1 1 1"),
    "handed-on-already": ("memory pids\n", "memory pids\n", 64, 4096, "1 1 1 1"),
    "none-there": ("cpu\n", "", 64, 4096, "0 0 0 0"),
    "one-there": ("pids cpu\n", "", 64, 4096, "1 0 1 0"),
    "one-wanted": ("memory pids\n", "", 0, 4096, "0 1 0 1"),
    "none-wanted": ("memory pids\n", "", 0, 0, "0 0 0 0"),
    "another-that-begins-so": ("pidsx memory2\n", "", 64, 4096, "0 0 0 0"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_leaf_is_limited_by_what_there_is(bounds: Path, tmp_path: Path, case: str) -> None:
    controllers, handed_on, processes, memory, said = CASES[case]
    tree = Tree(tmp_path, controllers, handed_on)
    assert tree.limit(bounds, processes, memory) == said
    has_pids, has_memory, *_ = (word == "1" for word in said.split())
    control, pids, most, group = tree.written()
    assert pids == (str(processes) if has_pids else "")
    assert (most, group) == ((str(memory), "1") if has_memory else ("", ""))
    if not handed_on:
        assert ("+" in control) is (has_pids or has_memory)


@pytest.mark.parametrize("missing", ["pids.max", "memory.max", "memory.oom.group"])
def test_what_cannot_be_written_is_said(bounds: Path, tmp_path: Path, missing: str) -> None:
    tree = Tree(tmp_path, "memory pids\n")
    (tree.leaf / missing).unlink()
    found = tree.limit(bounds, 64, 4096)
    assert found == ("1 1 0 1" if missing == "pids.max" else "1 1 1 0")
    assert not (tree.leaf / missing).exists()


def test_swap_need_not_be_accounted(bounds: Path, tmp_path: Path) -> None:
    tree = Tree(tmp_path, "memory pids\n")
    (tree.leaf / "memory.swap.max").unlink()
    assert tree.limit(bounds, 64, 4096) == "1 1 1 1"
