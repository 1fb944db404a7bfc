"""Files of a worktree, and of nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_exec.integrations.common.beneath import read_beneath, write_beneath


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "file").write_bytes(b"one\n")
    (tmp_path / "secret").write_bytes(b"secret\n")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (root / "inner").symlink_to("sub")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("path", ["sub/file", "./sub/file", "sub/../sub/file", "ROOT/sub/file"])
def test_a_file_is_read_and_written(root: Path, path: str) -> None:
    path = path.replace("ROOT", str(root))
    assert read_beneath(str(root), path) == b"one\n"
    write_beneath(str(root), path, b"2")
    assert (root / "sub" / "file").read_bytes() == b"2"


def test_directories_are_made(root: Path) -> None:
    write_beneath(str(root), "a/b/c", b"new")
    assert (root / "a" / "b" / "c").read_bytes() == b"new"


@pytest.mark.parametrize(
    "path", ["../secret", "SECRET", "link", "up/secret", "inner/file", "pipe", "sub/file/x", ".."]
)
def test_what_is_elsewhere_or_behind_a_link_is_neither(root: Path, path: str) -> None:
    path = path.replace("SECRET", str(root.parent / "secret"))
    with pytest.raises(PermissionError):
        read_beneath(str(root), path)
    with pytest.raises(PermissionError):
        write_beneath(str(root), path, b"changed")
    assert (root.parent / "secret").read_bytes() == b"secret\n"


def test_a_directory_is_no_file(root: Path) -> None:
    for path in ("sub", "."):
        with pytest.raises((IsADirectoryError, PermissionError)):
            read_beneath(str(root), path)
        with pytest.raises((IsADirectoryError, PermissionError)):
            write_beneath(str(root), path, b"")


def test_what_is_not_there(root: Path) -> None:
    for path in ("missing", "missing/file"):
        with pytest.raises(FileNotFoundError):
            read_beneath(str(root), path)


def test_a_file_that_is_too_long(root: Path) -> None:
    assert read_beneath(str(root), "sub/file", most=4) == b"one\n"
    with pytest.raises(OverflowError):
        read_beneath(str(root), "sub/file", most=3)


def test_a_file_that_others_may_not_write_keeps_its_mode(root: Path) -> None:
    (root / "sub" / "file").chmod(0o600)
    write_beneath(str(root), "sub/file", b"longer than before")
    assert (root / "sub" / "file").stat().st_mode & 0o777 == 0o600
