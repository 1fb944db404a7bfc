"""Facts about repositories that no attack shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from policy.git_place import make_repository, sh

from agent_exec.policy.look_git import look_git


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


def test_a_plain_repository_is_no_problem(here: Path) -> None:
    facts = look_git(str(here))
    assert facts.problem is None
    assert "core.bare" in facts.keys


def test_a_directory_inside_belongs_to_the_repository_above(here: Path) -> None:
    (here / "a/b").mkdir(parents=True)
    assert look_git(str(here / "a/b")) == look_git(str(here))


def test_where_there_is_no_repository_nothing_is_set(tmp_path: Path) -> None:
    assert look_git(str(tmp_path)) == ((), None)


def test_a_linked_work_tree_has_the_configuration_of_its_repository(here: Path) -> None:
    sh("git config filter.x.clean c; git worktree add -q ../other", here)
    assert "filter.x.clean" in look_git(str(here.parent / "other")).keys


def test_a_submodule_of_another_repository_is_no_problem(here: Path) -> None:
    sh(
        """
        git init -q -b main ../lib; git -C ../lib -c user.name=x -c user.email=x commit -q \
            --allow-empty -m l
        git -c protocol.file.allow=always submodule add -q "$PWD/../lib" lib
        git -C lib config filter.inner.clean c
        """,
        here,
    )
    assert look_git(str(here / "lib")).problem is None
    assert look_git(str(here)).problem is None
    assert "filter.inner.clean" in look_git(str(here)).keys


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("core.worktree", "/etc", id="other-work-tree"),
        pytest.param("core.excludesFile", "/etc/passwd", id="absolute"),
        pytest.param("core.excludesFile", "~/.ssh/id", id="home"),
        pytest.param("blame.ignoreRevsFile", "../outside", id="above"),
        pytest.param("mailmap.file", "link", id="through-a-link"),
        pytest.param("lfs.extension.x.clean", "c", id="extension-of-lfs"),
        pytest.param("hook.x.command", "c", id="configured-hook"),
        pytest.param("unheard.of", "c", id="unheard-of"),
    ],
)
def test_settings_that_cannot_be_overridden_are_problems(name: str, value: str, here: Path) -> None:
    (here / "link").symlink_to("/etc/passwd")
    sh(f"git config {name} '{value}'", here)
    assert name.lower() in (look_git(str(here)).problem or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("core.excludesFile", ".ignored", id="excludes"),
        pytest.param("blame.ignoreRevsFile", ".git-blame-ignore-revs", id="ignored-revisions"),
        pytest.param("lfs.repositoryFormatVersion", "0", id="lfs"),
        pytest.param("core.pager", "delta", id="pager"),
        pytest.param("alias.st", "status", id="alias"),
        pytest.param("branch.a.b.merge", "refs/heads/a.b", id="dots"),
        pytest.param("user.signingKey", "x", id="key"),
    ],
)
def test_settings_of_ordinary_repositories_are_none(name: str, value: str, here: Path) -> None:
    sh(f"git config {name} '{value}'", here)
    assert look_git(str(here)).problem is None


@pytest.mark.parametrize("name", ["config", "HEAD", "index", "commondir"])
def test_what_is_no_file_does_not_keep_us_waiting(name: str, here: Path) -> None:
    place = here / ".git" / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    assert look_git(str(here)).problem is not None


def test_a_configuration_of_any_length_is_not_read(here: Path) -> None:
    with (here / ".git/config").open("ab") as opened:
        opened.truncate(1 << 30)
    assert "too large" in (look_git(str(here)).problem or "")
