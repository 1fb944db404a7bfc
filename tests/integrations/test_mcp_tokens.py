"""Where the token of the HTTP server comes from, and which places are not safe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_exec import InvalidCall
from agent_exec.integrations.mcp.tokens import TOKEN_VARIABLE, find_token

GOOD = "0123456789abcdef"


@pytest.fixture
def worktree(tmp_path: Path) -> str:
    folder = tmp_path / "worktree"
    folder.mkdir()
    return str(folder)


def test_the_file_counts_before_the_environment_and_that_before_a_new_one(
    worktree: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{GOOD}\n")
    file.chmod(0o600)
    environ = {TOKEN_VARIABLE: "of-the-environment"}
    assert find_token(str(file), worktree, environ).value == GOOD
    assert find_token(None, worktree, environ).value == "of-the-environment"
    assert GOOD not in find_token(str(file), worktree, environ).told
    made = [find_token(None, worktree, {}).value for _ in range(2)]
    assert len(set(made)) == 2


@pytest.mark.parametrize("given", ["short", "with spaces in it, and long", "no-ascii-ä-0123456789"])
def test_what_is_no_token_is_refused(worktree: str, tmp_path: Path, given: str) -> None:
    with pytest.raises(InvalidCall, match="holds no token"):
        find_token(None, worktree, {TOKEN_VARIABLE: given})
    file = tmp_path / "token"
    file.write_text(given)
    file.chmod(0o600)
    with pytest.raises(InvalidCall, match="holds no token"):
        find_token(str(file), worktree, {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_of_others_is_refused(worktree: str, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text(GOOD)
    file.chmod(mode)
    with pytest.raises(InvalidCall, match="chmod 600"):
        find_token(str(file), worktree, {})


def test_a_file_in_the_worktree_is_refused_through_links_too(worktree: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(worktree)
    for place in (Path(worktree, "token"), link / "token", Path(worktree)):
        with pytest.raises(InvalidCall, match="is in the worktree"):
            find_token(str(place), worktree, {})
    assert os.listdir(worktree) == []


def test_what_is_no_file_is_refused_and_not_waited_for(worktree: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(InvalidCall, match="is no file"):
        find_token(str(pipe), worktree, {})
    with pytest.raises(InvalidCall, match="No such file"):
        find_token(str(tmp_path / "nowhere" / "token"), worktree, {})
    with pytest.raises(InvalidCall, match="is no file"):
        find_token(str(tmp_path), worktree, {})
