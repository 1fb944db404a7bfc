"""Temp directories of calls: empty, one's own, and never left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent_exec.sandbox.tmp import TmpFolders


def folders_in(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if entry.is_dir()}


def test_what_is_given_back_is_emptied_and_used_again(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path / "tmp"))
    taken = folders.take()
    assert stat.S_IMODE(os.stat(taken).st_mode) == 0o700
    deep = Path(taken) / "a/b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (Path(taken) / "link").symlink_to("/")
    deep.chmod(0)
    assert folders.give_back(taken, again=True)
    assert folders.take() == taken
    assert os.listdir(taken) == []
    folders.close()
    assert folders_in(tmp_path / "tmp") == set()


def test_two_calls_have_two(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path))
    assert folders.take() != folders.take()
    folders.close()


def test_who_likes_some_gets_one_of_them_or_one_that_nobody_used_for_long(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path))
    first, *others = [folders.take() for _ in range(3)]
    for taken in (first, *others):
        folders.give_back(taken, again=True)
    assert folders.take({first}) == first
    assert folders.take({first}) not in {first, *others}
    while len(others) < 62:
        others.append(folders.take(set()))
    for taken in others:
        folders.give_back(taken, again=True)
    assert folders.take(set()) == others[0]
    folders.close()


def test_one_that_may_still_be_written_is_not_used_again(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path))
    taken = folders.take()
    assert not folders.give_back(taken, again=False)
    assert not os.path.exists(taken)
    assert folders.take() != taken
    folders.close()


@pytest.mark.parametrize("change", ["removed", "link", "mode"])
def test_one_that_is_not_as_it_was_given_is_not_used_again(change: str, tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path / "tmp"))
    taken, outside = folders.take(), tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    if change == "mode":
        os.chmod(taken, 0o777)
    else:
        os.rmdir(taken)
    if change == "link":
        os.symlink(outside, taken)
    assert not folders.give_back(taken, again=True)
    assert (outside / "kept").exists()
    folders.close()


def test_what_a_killed_owner_has_left_goes_with_the_next_one(tmp_path: Path) -> None:
    text = (
        "import sys\nfrom agent_exec.sandbox.tmp import TmpFolders\n"
        f"print(TmpFolders({str(tmp_path)!r}).take(), flush=True)\nsys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    left = Path(owner.stdout.readline().strip())
    (left / "x").write_text("x")
    folders = TmpFolders(str(tmp_path))
    folders.take()
    assert left.exists(), "its owner lives"
    folders.close()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    folders.take()
    assert not left.exists()
    folders.close()


def test_a_forked_child_has_its_own(tmp_path: Path) -> None:
    folders = TmpFolders(str(tmp_path))
    ours = folders.take()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, folders.take().encode())
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
    assert Path(folders.take()).is_relative_to(tmp_path / "second")
    folders.close()


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="not ours alone"):
        TmpFolders(str(folder)).take()
