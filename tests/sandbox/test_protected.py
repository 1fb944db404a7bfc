"""Protected files: what is seen of them, and what is told after a call that could write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_exec import Answer, ExecTool, Question, Reply
from agent_exec.sandbox import landlock
from agent_exec.sandbox.protected import Protected, changes

NAMES = (".git/hooks", ".git/config", ".envrc", ".vscode/")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / ".git/hooks").mkdir(parents=True)
    (tree / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    (tree / ".git/config").write_text("[core]\n")
    return tree


def _rewrite(tree: Path) -> None:
    """Another file with the same content."""
    new = Path(shutil.copy(tree / ".git/config", tree / "new"))
    new.replace(tree / ".git/config")


def _link_instead(tree: Path) -> None:
    (tree / ".git/config").unlink()
    (tree / ".git/config").symlink_to("/x")


CASES: dict[str, tuple[Callable[[Path], object], list[tuple[str, str]]]] = {
    "nothing": (lambda _: None, []),
    "another-file": (lambda tree: (tree / "a.txt").write_text("x"), []),
    "the-same-content": (_rewrite, []),
    "made": (lambda tree: (tree / ".envrc").write_text("x"), [(".envrc", "made")]),
    "made-in-a-directory": (
        lambda tree: (tree / ".git/hooks/post-merge").write_text("x"),
        [(".git/hooks/post-merge", "made")],
    ),
    "changed": (
        lambda tree: (tree / ".git/config").write_text("[CORE]\n"),
        [(".git/config", "changed")],
    ),
    "mode": (
        lambda tree: (tree / ".git/hooks/pre-commit").chmod(0o755),
        [(".git/hooks/pre-commit", "changed")],
    ),
    "a-link-instead": (
        _link_instead,
        [(".git/config", "changed")],
    ),
    "removed": (
        lambda tree: shutil.rmtree(tree / ".git/hooks"),
        [(".git/hooks", "removed"), (".git/hooks/pre-commit", "removed")],
    ),
    "a-pipe": (lambda tree: os.mkfifo(tree / ".envrc"), [(".envrc", "made")]),
    "a-directory": (
        lambda tree: (tree / ".vscode/sub").mkdir(parents=True),
        [(".vscode", "made"), (".vscode/sub", "made")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_changed_is_seen(tree: Path, case: str) -> None:
    change, expected = CASES[case]
    protected = Protected(str(tree), NAMES)
    before = protected.look()
    assert protected.look() == before
    change(tree)
    assert changes(before, protected.look()) == expected


def test_no_link_is_followed_out_of_the_worktree(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tree / ".vscode").symlink_to(tmp_path / "out")
    protected = Protected(str(tree), NAMES)
    before = protected.look()
    (tmp_path / "out/file").write_text("x")
    assert protected.look() == before


def test_a_huge_directory_is_looked_at_in_part(tree: Path) -> None:
    for n in range(1100):
        (tree / f".git/hooks/{n}").touch()
    assert len(Protected(str(tree), NAMES).look()) == 1024


def _yes(_: Question) -> Answer:
    return Answer(Reply.ONCE)


@pytest.mark.skipif(not landlock.version(), reason="needs Landlock")
def test_a_call_that_made_a_hook_says_so(tree: Path) -> None:
    """Code that was granted the worktree, and not by a word of the hook."""
    (tree / "Makefile").write_text("all:\n\techo true >.git/hooks/post-commit\nnone:\n\ttrue\n")
    with ExecTool(tree, approver=_yes, launcher="vfork") as tool:
        made = tool.run_sync(["make"])
        again = tool.run_sync(["make"])
        other = tool.run_sync(["make", "none"])
        text = tool.run_shell_sync("rm .git/hooks/pre-commit; make none | cat")
    assert made.stages[0].exit_code == 0
    (notice,) = made.notices
    assert notice == (
        ".git/hooks/post-commit was made while this ran: other programs run or obey what is there "
        "later, outside of the sandbox; see that it is meant to be so"
    )
    assert (again.notices, other.notices) == ((), ())
    assert text.notices[0].startswith(".git/hooks/pre-commit was removed while this ran")


@pytest.mark.skipif(not landlock.version(), reason="needs Landlock")
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_what_git_writes_in_the_course_of_its_work_is_not_told(tmp_path: Path) -> None:
    tree = tmp_path / "new"
    tree.mkdir()
    with ExecTool(tree, approver=_yes, launcher="vfork") as tool:
        tool.run_sync(["git", "init", "-q", "--template=", "."])
        result = tool.run_sync(["git", "config", "user.name", "A"])
    assert (tree / ".git/config").read_text().count("name = A") == 1
    assert result.notices == ()
