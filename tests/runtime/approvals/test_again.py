"""What a command has become, beside what was approved."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_exec.model.decision import Decision, Route, Ruling, Verdict
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.runtime.approvals.again import was_approved

WORKTREE = "/no-such-worktree"


def decision(*effects: Effect, cwd: str = WORKTREE) -> Decision:
    ruling = Ruling(("x",), "/usr/bin/x", None, Verdict.ASK, effects, (), (), cwd=cwd)
    return Decision(Verdict.ASK, Route.DIRECT, None, (ruling,))


def write(path: str | None) -> Effect:
    return Effect(EffectKind.WRITE, path)


@pytest.mark.parametrize(
    ("approved", "again", "expected"),
    [
        ("*.log", "a.log", True),
        ("*.log", "a.txt", False),
        ("*", "sub/a", False),
        ("*", "/etc/passwd", False),
        ("/var/log/*", "/var/log/a/b", False),
        ("sub/*", "sub/a", True),
        ("a[1]", "a[1]", True),
        (None, "a", False),
        ("a", None, False),
        ("./a", f"{WORKTREE}/a", True),
        ("./a", f"{WORKTREE}/b", False),
        (None, None, True),
    ],
)
def test_a_match_of_what_was_approved_was_approved(
    approved: str | None, again: str | None, expected: bool
) -> None:
    assert expected is was_approved(
        decision(write(approved)), decision(write(again)), cwd=WORKTREE, worktree=WORKTREE
    )


def test_a_name_means_another_file_in_another_directory() -> None:
    elsewhere = f"{WORKTREE}/sub"
    known = decision(write("a"))
    assert not was_approved(
        known, decision(write("a"), cwd=elsewhere), cwd=elsewhere, worktree=WORKTREE
    )


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("link", True),
        ("link/", False),
        ("/{}/link/", False),
        ("link/../a", False),
        ("folder/", True),
    ],
)
def test_what_is_deleted_may_not_lie_behind_a_link_out(
    tmp_path: Path, path: str, stays: bool
) -> None:
    worktree = tmp_path / "worktree"
    (worktree / "folder").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (worktree / "link").symlink_to(tmp_path / "outside")
    here = str(worktree)
    deletes = decision(Effect(EffectKind.DELETE, path.format(here)), cwd=here)
    assert was_approved(deletes, deletes, cwd=here, worktree=here) is stays


def test_another_kind_of_effect_was_not_approved() -> None:
    deletes = decision(Effect(EffectKind.DELETE, "a"))
    assert not was_approved(decision(write("a")), deletes, cwd=WORKTREE, worktree=WORKTREE)
