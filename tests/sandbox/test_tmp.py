"""Temp directories of calls: empty, one's own, and never left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent_exec.sandbox.tmp import TmpFolders, emptied, remove


def folders_in(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if entry.is_dir()}


def test_each_is_another_one_and_its_owner_s_alone(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path / "tmp"))
    first, second = folders.make(), folders.make()
    assert first != second
    assert stat.S_IMODE(os.stat(first).st_mode) == 0o700
    assert folders.owns(first)
    assert not folders.owns(str(tmp_path / "tmp/other"))
    folders.close()
    assert not folders.owns(first)
    assert folders_in(tmp_path / "tmp") == set()
    assert folders.owns(folders.make()), "it is begun again"
    folders.close()


def fill(folder: str) -> None:
    deep = Path(folder) / "a/b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (Path(folder) / "link").symlink_to("/")
    deep.chmod(0)


def test_what_is_in_one_is_removed(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path))
    made = folders.make()
    fill(made)
    assert emptied(made)
    assert os.listdir(made) == []
    fill(made)
    remove(made)
    assert not os.path.exists(made)
    folders.close()


def test_what_a_killed_owner_has_left_goes_with_the_next_one(tmp_path: Path) -> None:
    text = (
        "import sys\nfrom agent_exec.sandbox.tmp import TmpFolders\n"
        f"print(TmpFolders({str(tmp_path)!r}).make(), flush=True)\nsys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    left = Path(owner.stdout.readline().strip())
    (left / "x").write_text("x")
    folders = TmpFolders(str(tmp_path))
    folders.make()
    assert left.exists(), "its owner lives"
    folders.close()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    folders.make()
    assert not left.exists()
    folders.close()


def test_a_forked_child_has_its_own(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path))
    ours = folders.make()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, folders.make().encode())
        folders.close()
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = os.read(read_end, 4096).decode()
    os.close(read_end)
    os.close(write_end)
    assert os.path.dirname(theirs) != os.path.dirname(ours)
    assert os.path.isdir(ours)
    assert not os.path.exists(theirs)
    folders.close()


def test_where_the_first_folder_cannot_be_had_the_next_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    folders = TmpFolders(str(tmp_path / "file/tmp"), str(tmp_path / "second"))
    assert Path(folders.make()).is_relative_to(tmp_path / "second")
    folders.close()


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="not ours alone"):
        TmpFolders(str(folder)).make()


def test_what_somebody_else_has_removed_is_made_anew(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path / "tmp"))
    first = folders.make()
    shutil.rmtree(tmp_path / "tmp")
    second = folders.make()
    assert os.path.isdir(second)
    assert (folders.owns(first), folders.owns(second)) == (False, True)
    folders.close()
    assert folders_in(tmp_path / "tmp") == set()


@pytest.mark.parametrize("trouble", [FileNotFoundError, PermissionError])
def test_an_owner_that_ends_while_it_is_swept_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: type[OSError]
) -> None:
    (tmp_path / "1-a").mkdir()
    opened = os.open

    def gone(path: str, *words: int) -> int:
        if "1-a" in path:
            raise trouble
        return opened(path, *words)

    folders = TmpFolders(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", gone)
        made = folders.make()
    assert made.startswith(str(tmp_path))
    lock = os.open(tmp_path / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(lock)
        folders.close()
